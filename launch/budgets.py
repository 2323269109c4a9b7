"""The tails we budget: long files, long or branching functions, left-over marks, empty names, too many tests.

Medians do not tell good code from bad, the longest of everything does (see STYLE.md). Generated migrations are
exempt.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES, FUNCTION_LINES, FUNCTION_BRANCHES = 350, 40, 8
TESTS_PER_CODE = 2.0
BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.BoolOp, ast.comprehension)
# The classes with one letter keep this file from finding itself.
MARKS = re.compile(
    r"\b(TO[D]O|FIX[M]E|XX[X]|Not[I]mplementedError)\b|mark\.(sk[i]p|xf[a]il)|pytest\.sk[i]p\("
    r"|# pra[g]ma: no cover|assert Tr[u]e\b|[\"'/ ]/(tm[p]|ro[o]t|wor[k]|hom[e])/"
)
NAMES = re.compile(r"(^|/)(utils?|helpers?|services|selectors|common|core|misc|manager2)(\.py|/)")


def main() -> int:
    """Print every breach in the repository's own files; 1 when there is one."""
    listed = ["git", "ls-files", "-co", "--exclude-standard", "--", "*.py"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    sources = {name: Path(name).read_text() for name in names if Path(name).is_file()}
    found = list(breaches(sources))
    print("\n".join(found) or f"{len(sources)} files within budget")
    return 1 if found else 0


def breaches(sources: dict[str, str]) -> Iterator[str]:
    """A line for each breach in `sources` (path from the top: text)."""
    ours = {path: text for path, text in sources.items() if "/migrations/" not in path}
    code = {path: text for path, text in ours.items() if not path.startswith("tests/")}
    for path, text in ours.items():
        yield from _marks(path, text)
    for path, text in code.items():
        yield from _sizes(path, text)
    yield from _proportion(_lines(ours) - _lines(code), _lines(code))


def _marks(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if MARKS.search(line):
            yield f"{path}:{number}: left over: {line.strip()}"


def _sizes(path: str, text: str) -> Iterator[str]:
    if NAMES.search(path):
        yield f"{path}: a name that says nothing"
    if (lines := len(text.splitlines())) > FILE_LINES:
        yield f"{path}: {lines} lines (at most {FILE_LINES})"
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function(path, node)


def _function(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    branches = sum(isinstance(inner, BRANCHES) for inner in ast.walk(node))
    if lines > FUNCTION_LINES:
        yield f"{path}:{node.lineno} {node.name}: {lines} lines (at most {FUNCTION_LINES})"
    if branches > FUNCTION_BRANCHES:
        yield f"{path}:{node.lineno} {node.name}: {branches} branches (at most {FUNCTION_BRANCHES})"


def _proportion(tests: int, code: int) -> Iterator[str]:
    if tests > TESTS_PER_CODE * code:
        yield f"tests: {tests} lines for {code} of code (at most {TESTS_PER_CODE} to 1)"


def _lines(sources: dict[str, str]) -> int:
    return sum(len(text.splitlines()) for text in sources.values())


if __name__ == "__main__":
    sys.exit(main())
