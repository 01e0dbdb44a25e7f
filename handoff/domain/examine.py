"""One entry of the record, examined at its position: read, authenticated, compared with what came before, judged.

Exchange and projection call this and nothing else, so that both hold the same truth.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handoff.domain.case import Situation
from handoff.domain.judge import Verify, authenticate, judge, repetition
from handoff.record import codec, signing
from handoff.record.codes import RefusalCode
from handoff.record.delivery import REDACTED, Verdict, invalid
from handoff.record.envelope import Event
from handoff.record.errors import NotAnEvent
from handoff.record.message import Message
from handoff.record.redaction import Redaction, original_hash


@dataclass(frozen=True, slots=True)
class Entry:
    """A record entry as read: its message, its event or why it is none, and the SHA-256 of its value as said (hex)."""

    message: Message
    event: Event[Any] | RefusalCode
    value_hash: str

    @property
    def is_redacted(self) -> bool:
        """Whether only a stub of it is left."""
        return Redaction.found(self.message.value) is not None


@dataclass(frozen=True, slots=True)
class Examined:
    """What the rules make of an entry, and what was known before and after it."""

    verdict: Verdict
    before: Situation
    after: Situation


def read(message: Message) -> Entry:
    """The entry in ``message``; needs nothing but the bytes, so it can be done in any order, on any thread."""
    value = message.value or b""
    event: Event[Any] | RefusalCode
    try:
        event = codec.decode(value)
    except NotAnEvent as error:
        event = error.code
    return Entry(message, event, original_hash(value).hex())


def examine(
    known: Situation,
    entry: Entry,
    *,
    first_hash: str | None,
    at: datetime,
    genesis_hash: str,
    verify: Verify = signing.verifies,
) -> Examined:
    """The verdict on ``entry`` at record time ``at``, and what is known after it. Never raises on any bytes.

    ``first_hash`` is the value hash of the first entry that counted with this (subject, id), None if there is none.
    Only entries whose verdict is effective or ineffective take their id.
    """
    if not isinstance(entry.event, Event):
        return Examined(REDACTED if entry.is_redacted else invalid(entry.event), known, known)
    objection = authenticate(known.directory, entry.message, entry.event, at, genesis_hash, verify=verify)
    if objection is not None:
        return Examined(invalid(objection), known, known)
    repeated = repetition(first_hash, entry.value_hash)
    if repeated is not None:
        return Examined(repeated, known, known)
    verdict, after = judge(known, entry.event, at)
    return Examined(verdict, known, after)
