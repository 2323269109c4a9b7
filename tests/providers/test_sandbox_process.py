import os
import runpy
import signal
import threading

import pytest
import requests

from providers.sandbox.journal import Journal, JournalInUseError
from tests.providers.sandbox_box import KEY, PERSON, SENDER, Box, until
from tests.sandbox_process import ACCOUNT, TOKEN, SandboxProcess, free_port


def test_what_was_accepted_survives_a_kill(tmp_path):
    sandbox = SandboxProcess(tmp_path).start()
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = {"To": PERSON, "From": SENDER, "Body": "Hello"}
    sandbox.settings(seed=9)
    with requests.Session() as client:
        client.auth = (ACCOUNT, TOKEN)
        sids = [client.post(url, data=form, timeout=10).json()["sid"] for _ in range(50)]
    sandbox.kill()
    sandbox.start()

    assert [entry["sid"] for entry in sandbox.log()] == [call["sid"] for call in sandbox.calls()] == sids
    assert sandbox.get("faults")["seed"] == 9
    assert sandbox.stop() == 0


def test_everything_is_there_after_a_restart(tmp_path, receiver):
    with Box(tmp_path).open() as box:
        box.settings(callback_delay_ms=0, approve_after_ms=0, inbound_url=f"{receiver.url}/inbound")
        approved, draft = box.template(), box.template(submit=False)
        box.send({"Body": None, "ContentSid": approved, "StatusCallback": f"{receiver.url}/{KEY}"})
        box.write(sender=PERSON, to=SENDER, body="STOP")
        scheduled = box.send({"To": "whatsapp:+12025550100", "Body": "x", "MediaUrl": "https://example.com/a.png"})
        box.messages("POST", f"/{scheduled.json()['sid']}", data={"Body": ""})
        until(lambda: box.summary()["callbacks"]["pending"] == 0)
        before = [
            box.log(),
            box.calls(),
            box.summary(),
            box.messages("GET").json(),
            box.call("GET", "/v1/Content").json(),
        ]
    with Box(tmp_path).open() as again:
        again.call("GET", "/v1/Content")
        after = [again.log(), again.calls(), again.summary(), again.messages("GET").json()]
        statuses = [again.rule(sid, "paused")["category"] for sid in (approved, draft)]
        stopped = again.send().json()["code"]

    assert after == before[:4]
    assert (statuses, stopped) == (["UTILITY", ""], 21610)
    assert len(before[4]["contents"]) == 2


def test_callbacks_that_were_not_told_are_told_after_a_restart(tmp_path, receiver):
    with Box(tmp_path).open() as box:
        box.settings(callback_delay_ms=600, approve_after_ms=0, read_share=0)
        form = {"Body": None, "ContentSid": box.template(), "StatusCallback": f"{receiver.url}/{KEY}"}
        sid = box.send(form).json()["sid"]
    with Box(tmp_path).open() as box:
        until(lambda: box.summary()["callbacks"]["sent"] == 2)

    assert receiver.statuses(sid) == ["sent", "delivered"]


def test_a_reset_empties_the_disk_too(tmp_path):
    with Box(tmp_path).open() as box:
        box.send()
        box.reset()
    with Box(tmp_path).open() as box:
        assert (box.log(), box.calls()) == ([], [])


def test_a_line_torn_by_a_kill_is_cut_off(tmp_path):
    with Box(tmp_path).open() as box:
        box.send()
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"p": "twil')
    for _ in range(2):
        with Box(tmp_path).open() as box:
            box.send()

    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 7  # the token, then a message and a call each


def test_two_sandboxes_do_not_share_a_journal(tmp_path):
    first = Journal(tmp_path)
    with pytest.raises(JournalInUseError):
        Journal(tmp_path)
    first.close()


def test_the_process_serves_until_it_is_told_to_stop(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("SANDBOX_PORT", str(port))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://shop.example/")
    said = []

    def ask_and_stop():
        sandbox = SandboxProcess(tmp_path, port=port)
        said.append(until(lambda: _settings(sandbox))["inbound_url"])
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask_and_stop)
    asking.start()
    runpy.run_module("providers.sandbox", run_name="__main__")
    asking.join()

    assert said == ["https://shop.example/api/v1/campaign/webhooks/twilio/inbound"]
    assert (tmp_path / "sandbox" / "journal.jsonl").exists()


def _settings(sandbox):
    try:
        return sandbox.get("faults")
    except requests.ConnectionError:
        return None
