"""The whole way of a first campaign, over real HTTP, with a real web server, sandbox and sender."""

from collections import Counter

import requests

from accounts.roles import Role
from campaigns import redirects
from campaigns.models import CampaignLeadMessage
from campaigns_project.tasks import run_jobs
from tests.factories import ConnectionFactory, MembershipFactory
from tests.sandbox_process import ACCOUNT, TOKEN
from tests.served import SENDER, eventually

SENDER_NUMBER = "+15550009000"
PEOPLE = [f"+1555{n:07d}" for n in range(1, 31)]
MENU = "https://example.com/menu"


class Integrator:
    """Somebody with a password who talks to the API."""

    def __init__(self, house, person, password):
        self.base = f"{house.url}/api/v1"
        self.session = requests.Session()
        signed_in = self.post("auth/token", 200, json={"email": person.email, "password": password})
        self.session.headers["Authorization"] = f"Bearer {signed_in['access_token']}"

    def post(self, path, status=200, **options):
        return self._read(self.session.post(f"{self.base}/{path}", timeout=15, **options), status)

    def get(self, path, **query):
        return self._read(self.session.get(f"{self.base}/{path}", params=query, timeout=15), 200)

    def _read(self, answer, status):
        assert answer.status_code == status, answer.text
        return answer.json()


def test_a_first_campaign_reaches_everybody_exactly_once(house, settings):
    settings.TWILIO_CONTENT_URL = settings.TWILIO_API_URL = house.sandbox.url
    member = MembershipFactory(role=Role.TENANT_ADMIN)
    member.user.set_password("correct horse")
    member.user.save()
    ConnectionFactory(account=member.account, external_id=ACCOUNT, sender=SENDER_NUMBER, secret={"auth_token": TOKEN})
    house.sandbox.settings(read_share=1.0)
    house.start(SENDER)
    api = Integrator(house, member.user, "correct horse")

    # Written, handed in, approved.
    template = api.post("campaign/create", 201, json={
        "name": "autumn",
        "content_type": "twilio/text",
        "content_context": {"body": "Hi {{lead_name}}, table {{table}} is yours."},
        "variable_defaults": {"lead_name": "there", "table": "any"},
    })  # fmt: skip
    one = f"campaign/{template['id']}"
    api.post(f"campaign/submit/{template['id']}", 202)
    eventually(lambda: api.get(one)["status"] == "approved", what="the approval")

    # Whom it is for, from a file with one bad line.
    rows = "phone,name,table\n" + "".join(f"{phone},Guest {n},{n}\n" for n, phone in enumerate(PEOPLE)) + "nobody,,\n"
    file = {"file": ("guests.csv", rows, "text/csv")}
    job = api.post("campaign/add-leads/import", 202, data={"campaign_id": template["id"]}, files=file)
    run_jobs()
    job = api.get(f"jobs/{job['job_id']}")
    assert (job["status"], job["done"], job["failed"]) == ("done", len(PEOPLE), 1)

    # Somebody says STOP before, and gets nothing.
    silent = PEOPLE[0]
    ours = {"to": f"whatsapp:{SENDER_NUMBER}", "account_sid": ACCOUNT}
    said = house.sandbox.write(sender=f"whatsapp:{silent}", body="STOP", **ours)
    assert said["status"] == 200

    draft = api.post("campaign/broadcasts", 201, json={"campaign_id": template["id"]})
    assert (draft["preflight"]["audience"], draft["preflight"]["skips"]) == (len(PEOPLE) - 1, {"opted_out": 1})
    broadcast = f"campaign/broadcasts/{draft['id']}"
    api.post(f"{broadcast}/start", headers={"Idempotency-Key": "first"})

    # Everybody has it once, by the sandbox's own record, and the signed callbacks tell how it fared.
    eventually(lambda: api.get(broadcast)["status"] == "completed", what="the broadcast")
    eventually(lambda: api.get(broadcast)["counts"]["read"] == len(PEOPLE) - 1, what="the callbacks")
    got = Counter(message["to"].removeprefix("whatsapp:") for message in house.sandbox.log())
    assert got == dict.fromkeys(PEOPLE[1:], 1)
    messages = {row["phone"]: row for row in api.get(f"{broadcast}/messages", limit=100)["data"]}
    assert (messages[silent]["status"], messages[silent]["skip_reason"]) == ("skipped", "opted_out")
    assert messages[PEOPLE[3]]["context"]["body"] == "Hi Guest 3, table 3 is yours."
    assert api.get(one)["metrics"]["read"] == len(PEOPLE) - 1

    # A link is followed, and somebody answers.
    message = CampaignLeadMessage.objects.get(pk=messages[PEOPLE[1]]["id"])
    followed = requests.get(redirects.link_for(message, MENU), allow_redirects=False, timeout=5)
    assert (followed.status_code, followed.headers["Location"]) == (302, MENU)
    house.sandbox.write(sender=f"whatsapp:{PEOPLE[2]}", body="See you!", **ours)
    assert eventually(lambda: api.get(one)["metrics"]["replied"]) == 1
