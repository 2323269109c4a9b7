import pytest

from crm.marketing import delivering
from dispatch import lane
from tests.crm.sending import Sent, connect_twilio
from tests.factories import AccountFactory


@pytest.fixture
def mail(sandbox, settings):
    """The sandbox as SendGrid, and a lane of e-mail that sends to it. No reports: nobody listens."""
    settings.SENDGRID_API_URL, settings.MAIL_TIMEOUT_SECONDS = f"{sandbox.url}/v3", 2
    sandbox.settings(provider="sendgrid", callback_loss=1.0)
    lane.register("crm_email", delivering.mail_lane)
    yield sandbox
    lane.register("crm_email", delivering.mail_lane)


@pytest.fixture
def push(sandbox, settings):
    """The sandbox as a push service, and a lane that sends to it."""
    settings.PUSH_TRUSTED = [sandbox.url]
    lane.register("crm_push", delivering.push_lane)
    yield sandbox
    lane.register("crm_push", delivering.push_lane)


@pytest.fixture
def twilio(sandbox, settings):
    """The sandbox, and a lane of SMS that sends to it with short patience. No callbacks: nobody listens."""
    settings.TWILIO_API_URL = settings.TWILIO_CONTENT_URL = sandbox.url
    settings.TWILIO_TIMEOUT_SECONDS, settings.TWILIO_SLOWEST_SECONDS, settings.TWILIO_QUIET_SECONDS = 1, 0.5, 2.0
    sandbox.settings(callback_loss=1.0)
    lane.register("crm_sms", delivering.text_lane)
    yield sandbox
    lane.register("crm_sms", delivering.text_lane)


@pytest.fixture
def sent(twilio):
    """`sent(3)`: an SMS campaign to three people, of a merchant of its own; fields go to the campaign."""

    def start(people, **fields):
        account = AccountFactory()
        connect_twilio(account)
        return Sent(people, account=account, **fields)

    return start


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    """A folder of the test's own for uploads."""
    settings.PRIVATE_FILES_DIR = tmp_path
    return tmp_path
