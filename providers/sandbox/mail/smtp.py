"""A mail server: takes everything for everybody, keeps it, and delivers nothing. No TLS; any user and password.

…+refused@…     550 5.1.1 at RCPT           …+later@…     450 4.2.1 at RCPT
…+spam@…        554 5.7.1 after the text    user `wrong`  535 5.7.8
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import time
from email.utils import parseaddr
from functools import partial
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult

from providers.sandbox.exchange import Answer, Entry, Exchange
from providers.sandbox.mail.letters import Letter, Letters, tag_of
from providers.sandbox.wire import reset

if TYPE_CHECKING:
    from aiohttp import web

    from providers.sandbox.exchange import Call
    from providers.sandbox.journal import Journal

HOST = "127.0.0.1"
LARGEST = 30 * 1024 * 1024
TAKEN = "250 2.0.0 taken"
_AT_THE_ADDRESS = {"refused": "550 5.1.1 no such mailbox", "later": "450 4.2.1 mailbox busy"}
_BUSY = {429: "451 4.7.1 slow down", 500: "451 4.3.0 internal error"}


class Smtp:
    """One provider of the sandbox, on a port of its own."""

    name = "smtp"

    def __init__(self, journal: Journal, port: int) -> None:
        self.exchange = Exchange(self.name, journal)
        self.letters = Letters(self.exchange)
        self._port = port
        self._server: asyncio.Server
        self._lines: set[SMTP] = set()

    def routes(self) -> list[web.RouteDef]:
        return []

    # aiosmtpd calls these.

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if said := _AT_THE_ADDRESS.get(tag_of(address)):
            return said
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = _letter(envelope, str(session.auth_data or ""))

        def act(entry: Entry) -> Answer:
            if tag_of(letter.to) == "spam":
                return Answer(554, b'{"code": 554}')
            letter.id, letter.at = os.urandom(11).hex(), time.time()
            letter.outcome, entry.sid = entry.outcome, letter.id
            self.letters.accept(letter)
            return Answer(250, b"")

        call = self.exchange.arrive(
            "mail", now=time.time(), to=letter.to, key=letter.key, name=f"{letter.to}|{letter.subject}", act=act,
            refuse=partial(Answer, body=b""),
        )  # fmt: skip
        return await self._said(server, call)

    async def _said(self, server: SMTP, call: Call) -> str:
        await asyncio.sleep(self.exchange.held_seconds(call))
        answer = self.exchange.settle(call)
        self.exchange.journal.flush()
        await asyncio.sleep(self.exchange.answer_seconds(call))
        transport = server.transport
        if answer.hang_up or call.entry.outcome == "status_500_accepted":
            # A server that took a mail and then says 5xx would have lied; one that dies says nothing.
            assert isinstance(transport, asyncio.Transport)
            reset(transport)
        if answer.status == 200:  # noqa: PLR2004  (garbage)
            return "<h1>Something in between answered instead</h1>"
        if answer.status == 554:  # noqa: PLR2004  (by its address)
            return "554 5.7.1 this looks like spam"
        return TAKEN if answer.status < 300 else _BUSY.get(answer.status, TAKEN)  # noqa: PLR2004  (2xx)

    # Being part of the server.

    def replay(self, record: dict[str, Any]) -> None:
        if record["k"] in {"call", "settings"}:
            self.exchange.remember(record)
        else:
            self.letters.replay(record)

    async def start(self) -> None:
        self.exchange.sort()
        self._server = await asyncio.get_running_loop().create_server(self._line, HOST, self._port)

    async def stop(self) -> None:
        self._server.close()
        for line in self._lines:
            if isinstance(line.transport, asyncio.Transport):
                line.transport.close()
        await asyncio.sleep(0)

    def forget(self) -> None:
        self.exchange.forget()
        self.letters.all.clear()

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        return self.letters.log(since=since, to=to, key=key)

    def summary(self) -> dict[str, Any]:
        return self.letters.summary()

    def _line(self) -> SMTP:
        line = SMTP(
            self,
            hostname="sandbox",
            ident="providers' sandbox",
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=_known,
            loop=asyncio.get_running_loop(),
        )
        self._lines.add(line)
        return line


def _known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    user = data.login.decode(errors="replace")
    return AuthResult(success=user != "wrong", auth_data=user, handled=False)


def _letter(envelope: Any, account: str) -> Letter:
    """The e-mail as its reader would see it, and the attempt that its Message-ID names."""
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    return Letter(
        id="", account=account, at=0.0, to=envelope.rcpt_tos[0], sender=parseaddr(str(message["From"]))[1],
        subject=str(message["Subject"]),
        text=plain.get_content() if plain else "",
        html=html.get_content() if html else "",
        headers={name: str(value) for name, value in message.items()},
        key=str(message["Message-ID"] or "").strip("<>").partition("@")[0] or None,
        story=("delivered",),
    )  # fmt: skip
