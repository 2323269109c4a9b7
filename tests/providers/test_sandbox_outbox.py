import requests

from tests.providers.test_email import email
from tests.providers.test_email_sandbox import post_to
from tests.providers.test_webpush import browser, push, sent


def page(box, **query):
    answer = requests.get(f"{box.url}/mail", params=query, timeout=5)
    assert answer.status_code == 200
    return answer


def test_what_arrived_is_shown_newest_first(box):
    assert "<iframe" not in page(box).text
    post_to(box, email(subject="First <b>", headers={"List-Unsubscribe": "<https://ours.test/u>"}))
    post_to(box, email(subject="Second", html=""), provider="smtp")
    sent(push(browser(box)[0], title="Third"), trusted=[box.url])

    shown = page(box).text
    assert shown.index("Third") < shown.index("Second") < shown.index("First &lt;b&gt;")
    assert "opens https://ours.test/l/t" in shown


def test_an_email_is_shown_in_a_frame_that_runs_nothing(box):
    post_to(box, email(html="<script>alert(1)</script><p>Hi"), email(key="k2", html=""))
    first, second = (each["id"] for each in box.log("sendgrid"))

    answer = page(box, id=first)
    assert 'sandbox="allow-popups" srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;&lt;p&gt;Hi"' in answer.text
    assert "<script>" not in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "<iframe" not in page(box, id=second).text
    assert page(box, id="unknown").status_code == 200
