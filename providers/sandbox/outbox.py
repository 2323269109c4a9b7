"""`/mail`: the e-mails and pushes that arrived, the newest first, and one of them as its reader sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.sandbox.mail import SendGrid, Smtp
    from providers.sandbox.mail.letters import Letter
    from providers.sandbox.push import Notice, Push

HERE = Path(__file__).parent / "page"
SHOWN = 100
# The frame of an e-mail runs nothing and loads nothing; its links open elsewhere.
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Item(NamedTuple):
    """One line of the list."""

    id: str
    at: float
    to: str
    title: str
    detail: str


@dataclass(slots=True)
class Outbox:
    sendgrid: SendGrid
    smtp: Smtp
    push: Push

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/mail", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        items = sorted(self._items(), key=lambda item: item.at, reverse=True)
        chosen = request.query.get("id") or (items[0].id if items else "")
        shown = next((item for item in items if item.id == chosen), None)
        text = Template((HERE / "outbox.html").read_text()).substitute(
            total=len(items),
            rows="".join(_row(item, chosen=item.id == chosen) for item in items[:SHOWN]),
            shown=_message(shown) if shown else (HERE / "empty.html").read_text(),
        )
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    def _items(self) -> Iterator[Item]:
        for letter in (*self.sendgrid.letters.all.values(), *self.smtp.letters.all.values()):
            yield Item(letter.id, letter.at, letter.to, letter.subject, _letter(letter))
        for notice in self.push.notices:
            title = str(notice.said.get("title") or "")
            yield Item(notice.id, notice.at, f"Browser {notice.to[:8]}", title, _notice(notice))


def _row(item: Item, *, chosen: bool) -> str:
    return (
        f'<li><a href="/mail?id={escape(item.id)}"{" aria-current=page" if chosen else ""}>'
        f"<i aria-hidden=true>{escape(item.to[:2])}</i><b>{escape(item.to)}</b>{_time(item.at)}"
        f"<span>{escape(item.title)}</span></a></li>"
    )


def _message(item: Item) -> str:
    return (
        f"<header><i aria-hidden=true>{escape(item.to[:2])}</i><h2>{escape(item.title)}</h2>"
        f"<p>{escape(item.to)}, {_time(item.at)}</p></header>{item.detail}"
    )


def _letter(letter: Letter) -> str:
    headers = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in letter.headers.items())
    html = ""
    if letter.html:
        frame = "flex:1;border:0;min-height:24rem;background:#fff"
        html = (
            f'<iframe title="As HTML" style="{frame}" sandbox="allow-popups" srcdoc="{escape(letter.html)}"></iframe>'
        )
    said = f"<div class=bubble><p>{escape(letter.text)}</p>"
    return (
        f'<div class=bubbles tabindex=0 role=group aria-label="As text">{said}'
        f"<footer>from {escape(letter.sender)}</footer></div><ol>{headers}</ol></div>{html}"
    )


def _notice(notice: Notice) -> str:
    body, url = str(notice.said.get("body") or ""), str(notice.said.get("url") or "")
    return f"<div class=bubbles><div class=bubble><p>{escape(body)}</p><footer>opens {escape(url)}</footer></div></div>"


def _time(moment: float) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    shown = when.astimezone().strftime("%H:%M")
    return f'<time datetime="{when.isoformat(timespec="seconds")}">{shown}</time>'
