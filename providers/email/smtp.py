"""A merchant's own mail server: Django's backend in threads of ours, over kept connections, never into our network.

Until the text of an e-mail is handed over nothing has been done; from then on only the server's reply can tell. A
reply's first digit says whether the same may be asked again (RFC 5321).
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from django.core.mail.backends.smtp import EmailBackend

from providers.answers import not_sent, plain
from providers.base import Accepted, Outcome, Refused, Unknown
from providers.email.composing import Unsendable, composed, unsendable
from providers.urls import Resolver, is_public, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from django.core.mail import EmailMultiAlternatives

    from providers.base import Effect, Email, SmtpServer

    # Host, port and seconds to an open socket. Raises OSError.
    Dial = Callable[[str, int, float], socket.socket]

# A server that is left alone hangs up after a while; most wait minutes.
IDLE_SECONDS = 10.0
PORTS = frozenset({25, 465, 587, 2525})
_FOR_GOOD = 500
# What smtplib raises for may also be no reply at all, but a page of something in between.
_REFUSING = range(400, 600)
# RFC 3463: there is no such mailbox, or no such domain.
_NOBODY = (b"5.1.1", b"5.1.2")


class _Turn:
    """One e-mail's way: whoever waits for it may give up, and it is known whether the text left before that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given_up = self._handed_over = False

    def hand_over(self) -> None:
        """The text leaves now. Raises TimeoutError when nobody waits any more."""
        with self._lock:
            if self._given_up:
                raise TimeoutError("nobody waits any more")
            self._handed_over = True

    def give_up(self) -> bool:
        """From now on the text does not leave; True when it has."""
        with self._lock:
            self._given_up = True
            return self._handed_over


class _Line(smtplib.SMTP):
    """smtplib's connection to an address that was checked. The text leaves in a turn."""

    turn: _Turn
    dial: Dial

    def data(self, msg: Any) -> Any:
        self.turn.hand_over()
        return super().data(msg)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """TLS is put around this by smtplib."""
        return type(self).dial(host, port, timeout)


class _SecureLine(smtplib.SMTP_SSL, _Line):
    """The same, with TLS from the first byte."""


class _Backend(EmailBackend):
    """Django's, that dials as it is told."""

    def __init__(self, dial: Dial, server: SmtpServer, timeout: float) -> None:
        super().__init__(
            host=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security == "starttls",
            use_ssl=server.security == "tls",
            timeout=timeout,
        )
        self._dial = dial

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return type("Line", (_SecureLine if self.use_ssl else _Line,), {"dial": staticmethod(self._dial)})


class _NotPublicError(OSError):
    """Where e-mail is not taken to."""


class Smtp:
    """Sends over at most `connections` connections in all; a call takes `timeout` seconds at most.

    `trusted` names servers (`127.0.0.1:8125`) that may be anywhere: for tests and development.
    """

    def __init__(
        self, *, timeout: float, connections: int, trusted: Collection[str] = (), resolver: Resolver = resolve
    ) -> None:
        self._timeout = timeout
        self._trusted = frozenset(trusted)
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="smtp")
        self._lock = threading.Lock()
        # Open and unused, with the time of their last e-mail.
        self._kept: list[tuple[SmtpServer, _Backend, float]] = []

    async def send(self, email: Email, server: SmtpServer) -> Outcome:
        """Hand over once."""
        try:
            message = composed(email)
        except Unsendable as reason:
            return unsendable(reason)
        domain = email.sender.rpartition("@")[2]
        message.extra_headers["Message-ID"] = f"<{email.key}@{domain}>"
        turn = _Turn()
        try:
            async with asyncio.timeout(self._timeout):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._deliver, message, server, turn)
        except TimeoutError:
            return Unknown("no reply in time") if turn.give_up() else not_sent(TimeoutError("not handed over in time"))
        finally:
            turn.give_up()

    def close(self) -> None:
        """Say goodbye on the free connections; a later call opens new ones."""
        with self._lock:
            free, self._kept = self._kept, []
        for _, backend, _ in free:
            backend.close()

    def _deliver(self, message: EmailMultiAlternatives, server: SmtpServer, turn: _Turn) -> Outcome:
        """In a thread."""
        try:
            backend = self._free(server) or self._opened(server)
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            return _not_connected(error)
        try:
            cast("_Line", backend.connection).turn = turn
            backend.send_messages([message])
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            backend.close()
            return _not_taken(error, handed_over=turn.give_up())
        with self._lock:
            self._kept.append((server, backend, time.monotonic()))
        return Accepted(provider_id=message.extra_headers["Message-ID"], status="queued")

    def _free(self, server: SmtpServer) -> _Backend | None:
        """An open connection to this server; the ones that lay idle too long are closed."""
        now = time.monotonic()
        with self._lock:
            old = [each for each in self._kept if now - each[2] >= IDLE_SECONDS]
            fitting = [each for each in self._kept if each[0] == server and each not in old]
            gone = [*old, *fitting[-1:]]
            self._kept = [each for each in self._kept if each not in gone]
        for _, backend, _ in old:
            backend.close()
        return fitting[-1][1] if fitting else None

    def _opened(self, server: SmtpServer) -> _Backend:
        backend = _Backend(self._dial, server, self._timeout)
        try:
            backend.open()
        except BaseException:
            backend.close()
            raise
        return backend

    def _dial(self, host: str, port: int, timeout: float) -> socket.socket:
        """The name is looked up once, and what was checked is connected to."""
        addresses = self._resolver(host, port)
        trusted = f"{host}:{port}" in self._trusted
        if not trusted and not (port in PORTS and all(map(is_public, addresses))):
            raise _NotPublicError("the mail server is not a public one, or its port none for e-mail")
        return socket.create_connection((addresses[0], port), timeout)


def _not_connected(error: Exception) -> Refused:
    """Nothing was handed over: the server is not there, or does not want us."""
    if isinstance(error, _NotPublicError | smtplib.SMTPNotSupportedError | ssl.SSLCertVerificationError):
        return Refused("connect", plain(error), retry=True, effect="pause_connection")
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= _FOR_GOOD:
        return Refused(str(error.smtp_code), _said(error.smtp_error), retry=True, effect="pause_connection")
    return not_sent(error)


def _not_taken(error: Exception, *, handed_over: bool) -> Outcome:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, said),) = error.recipients.values()
        return _refused(code, said, "suppress" if said.startswith(_NOBODY) else "none")
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _refused(error.smtp_code, error.smtp_error, "pause_connection")
    if isinstance(error, smtplib.SMTPDataError) and error.smtp_code in _REFUSING:
        return _refused(error.smtp_code, error.smtp_error, "none")
    return Unknown(plain(error)) if handed_over else not_sent(error)


def _refused(code: int, said: bytes | str, effect: Effect) -> Refused:
    lasting = code >= _FOR_GOOD
    # Whoever is not at fault waits until the cause is gone.
    retry = not lasting or effect == "pause_connection"
    return Refused(str(code), _said(said), retry=retry, effect=effect if lasting else "none")


def _said(text: bytes | str) -> str:
    return plain(text.decode(errors="replace") if isinstance(text, bytes) else text)
