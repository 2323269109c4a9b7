"""What the README promises, done as written (on ports of the test's own)."""

import os
import re
import subprocess
import time

import pytest
import requests

from tests.launch.conftest import ROOT

pytestmark = pytest.mark.crash
README = (ROOT / "README.md").read_text()


def blocks():
    """The README's shell blocks."""
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def here(text, run):
    """The same on this test's ports."""
    return text.replace("127.0.0.1:8000", run.web).replace("127.0.0.1:8100", run.sandbox)


def logins():
    return re.findall(r"^\| `(\S+@demo\.test)` \|", README, re.MULTILINE)


def signed_in(web, email, password):
    session = requests.Session()
    session.get(f"http://{web}/login", timeout=10)
    said = {"email": email, "password": password, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    return session, session.post(
        f"http://{web}/login", data=said, headers={"Referer": f"http://{web}/login"}, timeout=10
    )


def running_piece(session, web):
    """The address of the piece of the front page that shows what is being sent."""
    page = session.get(f"http://{web}/", timeout=10).text
    return f"http://{web}" + re.search(r'data-live="([^"]+)"', page)[1]


def test_the_commands_addresses_logins_and_curl_work_as_written(run):
    _, said = run()
    assert "bin/run\n" in blocks()
    assert "ready" in said

    for address in re.findall(r"^\| [\w' ]+ \| (http://\S+) \|", README, re.MULTILINE):
        assert requests.get(here(address, run), timeout=10).status_code == 200, address

    (password,) = set(re.findall(r"password of all three is `(\S+)`", README))
    sessions = {email: signed_in(run.web, email, password) for email in logins()}
    assert sorted(sessions) == ["merchant@demo.test", "neighbour@demo.test", "operator@demo.test"]
    assert all(answer.status_code == 200 and "Sign out" in answer.text for _, answer in sessions.values())

    (curl,) = [block for block in blocks() if "curl" in block]
    unset = {"DATABASE_URL", "BROKER_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"DATA_DIR": str(run.data_dir)}
    done = subprocess.run(
        ["bash", "-euc", here(curl, run)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert '"data":[{"id":' in done.stdout

    # The demo's running broadcast moves by itself.
    session, _ = sessions["merchant@demo.test"]
    piece, end = running_piece(session, run.web), time.monotonic() + 30
    before = session.get(piece, timeout=10).text
    while (now := session.get(piece, timeout=10).text) == before and time.monotonic() < end:
        time.sleep(0.5)
    assert now != before
