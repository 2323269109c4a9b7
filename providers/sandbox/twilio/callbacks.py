"""What Twilio tells us afterwards: signed status callbacks and inbound messages."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from providers.sandbox.callback import CONNECTIONS, poster
from providers.sandbox.twilio.errors import message_of
from providers.sandbox.twilio.message import FAILING, Message, phone_of

if TYPE_CHECKING:
    from providers.sandbox.exchange import Exchange
    from providers.sandbox.twilio.state import State

RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Story:
    """The callbacks of one message, one after the other."""

    message: Message
    statuses: tuple[str, ...]
    told: int = 0
    tally: Counter[str] = field(default_factory=Counter)


def status_form(message: Message, status: str) -> dict[str, str]:
    form = {
        "SmsSid": message.sid,
        "SmsStatus": status,
        "MessageSid": message.sid,
        "MessageStatus": status,
        "To": message.to,
        "From": message.sender or "",
        "AccountSid": message.account,
        "ApiVersion": "2010-04-01",
    }
    if message.service:
        form["MessagingServiceSid"] = message.service
    if message.to.startswith("whatsapp:"):
        form |= {
            "ChannelPrefix": "whatsapp",
            "ChannelToAddress": f"{phone_of(message.to)[:-4]}XXXX",
            "ChannelInstallSid": f"XE{message.account[2:]}",
            "StructuredMessage": "false",
        }
        if status in {"delivered", "read", "undelivered"}:
            form["EventType"] = status.upper()
    else:
        form["RawDlrDoneDate"] = time.strftime("%y%m%d%H%M", time.gmtime(message.due))
    if status in FAILING and message.error_code:
        form |= {"ErrorCode": str(message.error_code), "ErrorMessage": message_of(message.error_code)}
        form["ChannelStatusMessage"] = form["ErrorMessage"]
    return form


def _signature(token: str, url: str, form: dict[str, str]) -> str:
    """By Twilio's own library, so that it is no copy of our verifier."""
    validator = RequestValidator(token)
    return str(validator.compute_signature(url, form))


class Postman:
    """Delivers callbacks: at most CONNECTIONS at once, pooled, one more try when nobody is there."""

    def __init__(self, exchange: Exchange, state: State) -> None:
        self._exchange = exchange
        self._state = state
        self._queue: asyncio.Queue[Story] = asyncio.Queue()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._busy = 0
        self._http: aiohttp.ClientSession

    async def start(self) -> None:
        """Take up every message whose callbacks were not all tried before the last stop."""
        self._http = poster()
        self._workers = [asyncio.create_task(self._work()) for _ in range(CONNECTIONS)]
        for message in self._state.messages.values():
            if not message.called_back:
                self.follow(message)

    async def stop(self) -> None:
        self.forget()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._http.close()

    def forget(self) -> None:
        """Drop what has not been told yet."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    @property
    def pending(self) -> int:
        return len(self._timers) + self._queue.qsize() + self._busy

    def follow(self, message: Message) -> None:
        """Tell the message's callback URL about each status, when its time comes."""
        if not message.callback:
            return
        settings = self._exchange.settings
        told = message.walk
        if settings.draw("reorder", message.key or message.sid) < settings.callback_reorder:
            told = told[::-1]
        self._wait(Story(message, told))

    def _wait(self, story: Story) -> None:
        message = story.message
        seconds = message.due + message.step * (story.told + 1) - time.time()
        self._timers[message.sid] = asyncio.get_running_loop().call_later(max(0.0, seconds), self._due, story)

    def _due(self, story: Story) -> None:
        self._timers.pop(story.message.sid, None)
        self._queue.put_nowait(story)

    async def _work(self) -> None:
        while True:
            story = await self._queue.get()
            self._busy += 1
            await self._tell(story)
            self._busy -= 1

    async def _tell(self, story: Story) -> None:
        message, status = story.message, story.statuses[story.told]
        if self._is_over(message):
            return
        for outcome in await self._outcomes(message, status):
            story.tally[outcome] += 1
        story.told += 1
        if self._is_over(message):
            return
        if story.told < len(story.statuses):
            self._wait(story)
        else:
            self._state.called_back(message, dict(story.tally))

    def _is_over(self, message: Message) -> bool:
        """Nobody wants to hear about it any more, or the sandbox was reset."""
        return bool(message.settled) or message.deleted or message.sid not in self._state.messages

    async def _outcomes(self, message: Message, status: str) -> list[str]:
        settings, key = self._exchange.settings, f"{message.key or message.sid}|{status}"
        if settings.draw("loss", key) < settings.callback_loss:
            return ["lost"]
        times = 2 if settings.draw("dup", key) < settings.callback_dup else 1
        form = status_form(message, status)
        answers = [await self.post(message.callback or "", form, message.token) for _ in range(times)]
        return ["sent" if answer is not None and answer < 300 else "failed" for answer in answers]  # noqa: PLR2004  # 2xx

    async def post(self, url: str, form: dict[str, str], token: str) -> int | None:
        """POST a signed form and return the answer's status, or None when nobody answered."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "X-Twilio-Signature": _signature(token, url, form),
        }
        body = urlencode(form).encode()
        for pause in (RETRY_SECONDS, None):
            try:
                # The URL goes out as it was given, because it was signed like that.
                async with self._http.post(
                    URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
                ) as answer:
                    await answer.read()
                    return answer.status
            except aiohttp.ClientConnectionError:
                if pause:
                    await asyncio.sleep(pause)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                break
        return None
