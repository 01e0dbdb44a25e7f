"""Validation of submissions: an event passes unchanged, or is replaced by a refusal with a code and its hash.

Pure. Intake knows the directory alone; the verdict on an event depends on its position and is given by routing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from handoff.domain.directory import Directory
from handoff.domain.judge import authenticate
from handoff.exchange import verification_cache
from handoff.record import codec, message, signing
from handoff.record.codes import RefusalCode
from handoff.record.delivery import from_ms
from handoff.record.envelope import CONTENT_TYPE, EXCHANGE, Event, Source, compose
from handoff.record.events.directory import JurisdictionFounded, SubmissionRefused
from handoff.record.message import CONTENT_TYPE_HEADER, KEY_ID_HEADER, SIGNATURE_HEADER, Message

_REFUSALS = UUID("b7f3a1de-6f0e-5f0b-8d52-0c6f3f1f9b21")
_HEADERS = sorted((CONTENT_TYPE_HEADER, SIGNATURE_HEADER, KEY_ID_HEADER))


@dataclass(frozen=True, slots=True)
class Submission:
    """A record of a member's outgoing topic, with the broker's append time in ms since 1970-01-01 UTC."""

    topic: str
    offset: int
    appended_ms: int
    message: Message

    @property
    def member(self) -> str:
        """Owner of the topic, and the only principal that can write to it."""
        return self.topic.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class SubmissionValidator:
    """Validator of submissions; it holds the key that signs refusals."""

    genesis_hash: str
    key: signing.SigningKey

    def sift(self, submissions: Iterable[Submission], directory: Directory) -> Iterator[tuple[Message, str | None]]:
        """Yield the message to append for each submission, and its refusal code or None. Never raises on any bytes."""
        for submission in submissions:
            code = objection(submission, directory, self.genesis_hash)
            yield (submission.message if code is None else self._refusal(submission, code, directory)), code

    def founds(self, submission: Submission) -> bool:
        """Return whether this is the founding event, whose hash is the trust anchor."""
        value = submission.message.value
        return value is not None and signing.sha256(value) == self.genesis_hash

    def _refusal(self, submission: Submission, code: RefusalCode, directory: Directory) -> Message:
        # Id and time derive from the submission's position alone, so that a repeated refusal has the same bytes.
        event = compose(
            id=uuid5(_REFUSALS, f"{submission.topic}/{submission.offset}"),
            source=Source(directory.jurisdiction, directory.generation, EXCHANGE),
            subject=directory.jurisdiction,
            time=from_ms(submission.appended_ms),
            body=SubmissionRefused(
                member=submission.member, code=code, value_hash=signing.sha256(submission.message.value or b"")
            ),
        )
        return message.sign(event.subject, codec.encode(event), self.key)


def objection(submission: Submission, directory: Directory, genesis_hash: str) -> RefusalCode | None:
    """Return why ``submission`` must be refused; None if it may be appended."""
    event = verification_cache.read(submission.message).event
    if not isinstance(event, Event):
        return event
    at = from_ms(submission.appended_ms)
    found = authenticate(directory, submission.message, event, at, genesis_hash, verify=verification_cache.verifies)
    if found is not None:
        return found
    if event.emitter != submission.member:
        return RefusalCode.KEY_NOT_OWNER
    return None if _is_bare(submission.message, event) else RefusalCode.MALFORMED


def _is_bare(submitted: Message, event: Event[Any]) -> bool:
    """Return whether the headers are exactly the contract's, each once."""
    # The signature covers the value alone. Another header could carry text onto the record, or imitate in an inbox
    # a header that the exchange adds.
    if submitted.header(CONTENT_TYPE_HEADER) != CONTENT_TYPE.encode():
        return False
    names = sorted(name for name, _ in submitted.headers)
    return names == _HEADERS or (isinstance(event.data, JurisdictionFounded) and set(names) <= set(_HEADERS))
