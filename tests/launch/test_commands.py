import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launch import browser, budgets, checks, ports

ROOT = Path(__file__).resolve().parents[2]
FINE = "x = 1\n" * 10


@pytest.mark.parametrize(
    "path, text, breach",
    [
        ("app/long.py", "x = 1\n" * 351, "app/long.py: 351 lines (at most 350)"),
        ("app/a.py", "def f():\n" + "    x = 1\n" * 40, "app/a.py:1 f: 41 lines (at most 40)"),
        ("app/a.py", "async def f(a):\n" + "    a = a or 1\n" * 9, "app/a.py:1 f: 9 branches (at most 8)"),
        ("app/a.py", "x = 1  # TO" + "DO later", "app/a.py:1: left over: x = 1  # TO" + "DO later"),
        ("tests/test_a.py", "@pytest.mark.sk" + "ip", "tests/test_a.py:1: left over: @pytest.mark.sk" + "ip"),
        ("app/a.py", "x = '/tm" + "p/x'", "app/a.py:1: left over: x = '/tm" + "p/x'"),
        ("app/utils.py", "", "app/utils.py: a name that says nothing"),
        ("tests/test_a.py", "x = 1\n" * 21, "tests: 21 lines for 10 of code (at most 2.0 to 1)"),
    ],
)
def test_the_budgets_find(path, text, breach):
    assert list(budgets.breaches({"app/fine.py": FINE, path: text})) == [breach]


def test_generated_migrations_have_no_budget():
    assert list(budgets.breaches({"app/fine.py": FINE, "app/migrations/0001_a.py": "x = 1\n" * 400})) == []


@pytest.mark.parametrize("code, said", [("print('fine')", "ok   some"), ("exit('the reason')", "the reason")])
def test_a_check_speaks_only_when_it_fails(capsys, code, said):
    assert checks.passes("some", [sys.executable, "-c", code]) is (said != "the reason")
    told = capsys.readouterr().out
    assert said in told
    assert "fine" not in told


def test_a_port_is_kept_until_somebody_else_has_it(tmp_path):
    note = tmp_path / "port"
    port = ports.remembered(note)
    assert ports.remembered(note) == port
    with socket.create_server(("127.0.0.1", port)):
        moved = ports.remembered(note)
    assert port != moved < 32_768


def test_an_installed_browser_is_taken_and_named(tmp_path, monkeypatch, capsys):
    chromium = tmp_path / "chromium"
    chromium.touch(mode=0o755)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert browser.find() == str(chromium)
    assert capsys.readouterr().out == f"browser: installed, {chromium}\n"


@pytest.mark.parametrize("command", ["run", "test", "check"])
def test_without_a_python_the_commands_say_what_they_need(tmp_path, command):
    (tmp_path / "dirname").symlink_to(shutil.which("dirname"))
    bash = [shutil.which("bash"), ROOT / "bin" / command]
    done = subprocess.run(bash, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Python 3.11 or newer" in done.stderr
    assert os.access(ROOT / "bin" / command, os.X_OK)
