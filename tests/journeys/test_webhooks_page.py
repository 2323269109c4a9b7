"""What docs/webhooks.md shows works as it stands there."""

import re
import time
from pathlib import Path

from providers.standard_webhooks import headers, new_secret

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()


def test_the_verifier_of_the_docs_accepts_what_we_sign_and_nothing_else():
    shown = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], shown)
    secrets, body, now = (new_secret(), new_secret()), b'{"type":"webhook.test"}', int(time.time())
    sent = headers(secrets, "msg_1", now, body)

    assert [shown["is_ours"](secret, sent, body) for secret in (*secrets, new_secret())] == [True, True, False]
    assert not shown["is_ours"](secrets[0], sent, body + b" ")
    assert not shown["is_ours"](secrets[0], headers(secrets, "msg_1", now - 301, body), body)
