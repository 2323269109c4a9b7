"""`/phone`: what arrived, as the people see it; and a way for them to answer."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import islice
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aiohttp import web

from providers.sandbox.twilio.message import FAILING, phone_of
from providers.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.sandbox.twilio import Twilio
    from providers.sandbox.twilio.content import Content
    from providers.sandbox.twilio.message import Message

HERE = Path(__file__).parent / "page"
CONVERSATIONS = 60
BUBBLES = 100
TICKS = {"read": "✓✓", "delivered": "✓✓", "sent": "✓"}
# WhatsApp's own mark-up: *strong*.
_STRONG = re.compile(r"\*(\S[^*\n]*)\*")
POLICY = (
    "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(slots=True)
class Phone:
    twilio: Twilio

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.home),
            web.get("/phone", self.show),
            web.get("/phone/{name:phone[.](?:css|js)}", self.file),
            web.post("/phone/reply", self.reply),
        ]

    async def home(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound("/phone")

    async def file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        kind = "text/css" if name.endswith("css") else "text/javascript"
        return web.Response(text=(HERE / name).read_text(), content_type=kind, charset="utf-8")

    async def show(self, request: web.Request) -> web.Response:
        threads = self.twilio.state.threads
        search = request.query.get("q", "")
        person = request.query.get("with") or next(reversed(threads), "")
        now = time.time()
        text = Template((HERE / "phone.html").read_text()).substitute(
            search=escape(search),
            people=len(threads),
            conversations="".join(self._conversations(search, person, now)),
            thread=self._thread(person, threads.get(person, []), now),
        )
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def reply(self, request: web.Request) -> web.Response:
        """The form under a conversation: `from`, `to`, `body`, `account`, and a button's `payload`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        body = form.get("body", "").strip()
        if not body:
            raise RefusedError("an answer needs words")
        message: dict[str, Any] = {name: form.get(name, "") for name in ("from", "to")}
        if "payload" in form:
            message["params"] = {"ButtonText": body, "ButtonPayload": form["payload"]}
        await self.twilio.write_to_us(message | {"body": body, "account_sid": form.get("account", "")})
        raise web.HTTPSeeOther(f"/phone?with={quote(form.get('from', ''))}")

    def _conversations(self, search: str, chosen: str, now: float) -> Iterator[str]:
        threads = self.twilio.state.threads
        found = (person for person in reversed(threads) if search in person)
        for person in islice(found, CONVERSATIONS):
            last = threads[person][-1]
            yield (
                f'<li><a href="{escape("/phone?" + urlencode({"with": person, "q": search}))}"'
                f"{' aria-current=page' if person == chosen else ''}>"
                f"<i aria-hidden=true>{escape(person[-2:])}</i><b>{escape(person)}</b>"
                f"{_clock(last.at, now)}<span>{escape(_first_words(last))}</span></a></li>"
            )

    def _thread(self, person: str, messages: list[Message], now: float) -> str:
        if not messages:
            return (HERE / "empty.html").read_text()
        last = messages[-1]
        number = last.to if last.direction == "inbound" else (last.sender or "")
        earlier = len(messages) - BUBBLES
        return Template((HERE / "thread.html").read_text()).substitute(
            person=escape(person),
            number=escape(number),
            business=escape(phone_of(number) or last.service or "a messaging service"),
            account=escape(last.account),
            earlier=f"<li class=earlier>{earlier} earlier messages</li>" if earlier > 0 else "",
            bubbles="".join(self._bubble(message, number, person, now) for message in messages[-BUBBLES:]),
        )

    def _bubble(self, message: Message, number: str, person: str, now: float) -> str:
        status = message.status(now)
        if status == "scheduled":
            return ""
        if status in FAILING:
            return f"<li class=never><p>A message was {status} with error {message.error_code}.</p></li>"
        if status == "canceled":
            return "<li class=never><p>A message was canceled.</p></li>"
        content = self.twilio.state.contents.get(message.content_sid or "")
        pictures = (*message.media, *(_pictures(content, message) if content else ()))
        media = "".join(f"<p class=media>{escape(url)}</p>" for url in pictures)
        buttons = "".join(_buttons(content, message, number, person)) if content else ""
        side, who, tick = ("mine", "You", "") if status == "received" else ("theirs", "Business", _tick(status))
        return (
            f"<li class={side}><div class=bubble><span class=vh>{who}: </span>{media}<p>{_marked_up(message.body)}</p>"
            f"<footer>{_clock(message.at, now)}{tick}</footer></div>{buttons}</li>"
        )


def _marked_up(body: str) -> str:
    return _STRONG.sub(r"<b>\1</b>", escape(body))


def _tick(status: str) -> str:
    return f" <span>{TICKS.get(status, '…')} {escape(status)}</span>"


def _clock(moment: float, now: float) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    shown = when.astimezone().strftime("%H:%M" if now - moment < 12 * 3600 else "%d %b")
    return f'<time datetime="{when.isoformat(timespec="seconds")}">{shown}</time>'


def _first_words(message: Message) -> str:
    words = " ".join(message.body.split())
    return words[:60] or ("media" if message.media else "template")


def _pictures(content: Content, message: Message) -> Iterator[str]:
    for url in content.shown.get("media") or ():
        yield content.filled(url, message.values)


def _buttons(content: Content, message: Message, number: str, person: str) -> Iterator[str]:
    for action in content.actions:
        title = str(action.get("title") or action.get("copy_code_text") or "")
        target = content.filled(str(action.get("url") or ""), message.values)
        if target.startswith(("http://", "https://")):
            yield f'<a class=button href="{escape(target)}" rel=noreferrer>{escape(title)}</a>'
        elif action.get("type", "QUICK_REPLY") == "QUICK_REPLY":
            fields = {"from": person, "to": number, "account": message.account, "body": title}
            yield _press(title, fields | {"payload": str(action.get("id") or "")})
        else:
            yield f"<span class=button>{escape(title)}</span>"


def _press(title: str, fields: dict[str, str]) -> str:
    hidden = "".join(f'<input type=hidden name={name} value="{escape(text)}">' for name, text in fields.items())
    return f"<form method=post action=/phone/reply>{hidden}<button class=button>{escape(title)}</button></form>"
