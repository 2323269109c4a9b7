"""What docs/api.md says, done as written (at the test's own port)."""

import re
import subprocess
from pathlib import Path

from campaigns_project import demo
from tests.factories import AccountFactory, ConnectionFactory, MembershipFactory, UserFactory
from tests.sandbox_process import ACCOUNT, TOKEN
from tests.served import SENDER

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()


def test_the_quickstart_reaches_two_people(house):
    user = UserFactory(email=demo.HARBOR.email, password=demo.PASSWORD)
    account = MembershipFactory(user=user, account=AccountFactory(name=demo.HARBOR.name)).account
    ConnectionFactory(account=account, external_id=ACCOUNT, secret={"auth_token": TOKEN})
    house.start(SENDER)
    script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8000", house.url)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 [{'index': 2, 'code': 'invalid'" in done.stdout
    assert sorted(message["to"] for message in house.sandbox.log()) == [
        "whatsapp:+15550100001",
        "whatsapp:+15550100002",
    ]
