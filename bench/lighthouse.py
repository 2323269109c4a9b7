"""python -m bench.lighthouse URL: the four scores of a merchant's page of a running demo, signed in; bar 98 each.

URL is a page (http://127.0.0.1:8000/campaigns/wa_1). Needs Node: npm installs Lighthouse under DATA_DIR/lighthouse,
and it runs in the Chromium that the browser tests use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import requests

from bench.measure import Figure, report
from launch.browser import find

PACKAGE = "lighthouse@12"
BAR = 0.98
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage"
WHO = {"email": "merchant@demo.test", "password": "demo-password-1"}


def installed():
    """The folder Lighthouse is in; npm fetches it the first time."""
    folder = (Path(os.environ.get("DATA_DIR", ".data")) / "lighthouse").resolve()
    if not (folder / "node_modules" / "lighthouse").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), PACKAGE]
        subprocess.run(npm, check=True, timeout=300)
    return folder


def signed_in(page):
    """The Cookie header of the demo's merchant."""
    with requests.Session() as session:
        login = urljoin(page, "/login")
        session.get(login, timeout=10).raise_for_status()
        form = WHO | {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        session.post(login, data=form, headers={"Referer": login}, timeout=10).raise_for_status()
        seen = session.get(page, timeout=10)
        assert seen.url == page, f"{page} leads to {seen.url}"
        return "; ".join(f"{name}={value}" for name, value in session.cookies.items())


def scores(page, cookie, folder):
    """One run: {category: score between 0 and 1}, and what cost points."""
    said = folder / "report.json"
    command = [
        str(folder / "node_modules" / ".bin" / "lighthouse"), page, "--quiet", "--output=json", f"--output-path={said}",
        f"--chrome-flags={FLAGS}", f"--extra-headers={json.dumps({'Cookie': cookie})}", "--disable-storage-reset",
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=180, env=os.environ | {"CHROME_PATH": find()})
    found = json.loads(said.read_text())
    for category in found["categories"].values():
        for each in category["auditRefs"]:
            audit = found["audits"][each["id"]]
            if each["weight"] and audit["score"] is not None and audit["score"] < BAR:
                print(f"  {category['id']}: {audit['title']} {audit['score']} {audit.get('displayValue', '')}")
    return {name: category["score"] for name, category in found["categories"].items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder, cookie = installed(), signed_in(options.url)
    rounds = [scores(options.url, cookie, folder) for _ in range(options.rounds)]
    figures = [Figure(f"Lighthouse, {name}", [each[name] for each in rounds], BAR) for name in rounds[0]]
    return report(f"{options.url}, median of {options.rounds}, load {os.getloadavg()[0]:.1f}", figures)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
