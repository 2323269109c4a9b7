"""Everything Twilio would know: messages, templates, opt-outs, tokens; to the journal and back."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from providers.sandbox.twilio.content import Content
from providers.sandbox.twilio.message import Message

if TYPE_CHECKING:
    from providers.sandbox.journal import Journal

STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
START = frozenset({"START", "UNSTOP", "YES"})
WINDOW_SECONDS = 24 * 3600


@dataclass(slots=True)
class State:
    journal: Journal
    messages: dict[str, Message] = field(default_factory=dict)
    of_account: defaultdict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    of_recipient: defaultdict[tuple[str, str], list[Message]] = field(default_factory=lambda: defaultdict(list))
    threads: dict[str, list[Message]] = field(default_factory=dict)  # by person, latest talk last
    contents: dict[str, Content] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)  # sender's number → account
    opted_out: set[tuple[str, str]] = field(default_factory=set)  # (account, address)
    last_words: dict[tuple[str, str], float] = field(default_factory=dict)  # (account, address) → when they last wrote
    callbacks: Counter[str] = field(default_factory=Counter)

    # What happens, and is written down.

    def accept(self, message: Message) -> None:
        self._keep(message)
        self.journal.append(message.as_record())

    def change(self, message: Message, **facts: Any) -> None:
        self._change(message, facts)
        self.journal.append({"p": "twilio", "k": "change", "sid": message.sid, **facts})

    def save(self, content: Content) -> None:
        self.contents[content.sid] = content
        self.journal.append(content.as_record())

    def hear_token(self, account: str, token: str) -> None:
        if self.tokens.get(account) != token:
            self.tokens[account] = token
            self.journal.append({"p": "twilio", "k": "token", "account": account, "token": token})

    def called_back(self, message: Message, tally: dict[str, int]) -> None:
        """All callbacks of `message` were tried; `tally` says how they went."""
        self._called_back(message, tally)
        self.journal.append({"p": "twilio", "k": "called_back", "sid": message.sid, "tally": tally})

    # What happened, read back.

    def replay(self, record: dict[str, Any]) -> None:
        match record["k"]:
            case "message":
                self._keep(Message.read(record))
            case "change":
                self._change(
                    self.messages[record["sid"]],
                    {k: v for k, v in record.items() if k not in {"p", "k", "sid"}},
                )
            case "content":
                content = Content.read(record)
                self.contents[content.sid] = content
            case "token":
                self.tokens[record["account"]] = record["token"]
            case _:
                self._called_back(self.messages[record["sid"]], record["tally"])

    def _keep(self, message: Message) -> None:
        self.messages[message.sid] = message
        self.of_account[message.account].append(message)
        self.of_recipient[message.account, message.to].append(message)
        person = message.person
        thread = self.threads.pop(person, [])
        thread.append(message)
        self.threads[person] = thread
        if message.direction == "inbound":
            self._hear(message, message.sender or "")
        elif message.sender:
            self.owners[message.sender] = message.account

    def _hear(self, message: Message, address: str) -> None:
        """WhatsApp and SMS are two conversations: a STOP in one does not end the other."""
        self.last_words[message.account, address] = message.at
        word = message.body.strip().upper()
        if word in STOP:
            self.opted_out.add((message.account, address))
        elif word in START:
            self.opted_out.discard((message.account, address))

    def _change(self, message: Message, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            setattr(message, name, value)

    def _called_back(self, message: Message, tally: dict[str, int]) -> None:
        message.called_back = True
        self.callbacks.update(tally)

    # Questions.

    def window_is_open(self, account: str, address: str, now: float) -> bool:
        """WhatsApp takes free text only within 24 h of the person's last message."""
        return now - self.last_words.get((account, address), 0.0) < WINDOW_SECONDS

    def forget(self) -> None:
        for each in (
            self.messages, self.of_account, self.of_recipient, self.threads, self.contents, self.tokens,
            self.owners, self.opted_out, self.last_words, self.callbacks,
        ):  # fmt: skip
            each.clear()
