"""What a submission becomes: itself on the record, or a refusal by code that keeps nothing of it but its hash.

Pure. Intake knows the directory alone: whether an event changes anything is judged where it stands on the record.
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
    """What lies on a member's outgoing topic, and when the broker took it (ms)."""

    topic: str
    offset: int
    appended_ms: int
    message: Message

    @property
    def member(self) -> str:
        """Whose topic it is: nobody else can write there."""
        return self.topic.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class SubmissionValidator:
    """What lets a submission pass, and what a refusal is signed with."""

    genesis_hash: str
    key: signing.SigningKey

    def sift(self, submissions: Iterable[Submission], directory: Directory) -> Iterator[tuple[Message, str | None]]:
        """For each submission what goes onto the record, and the code if it was refused. Never raises on any bytes."""
        for submission in submissions:
            code = objection(submission, directory, self.genesis_hash)
            yield (submission.message if code is None else self._refusal(submission, code, directory)), code

    def founds(self, submission: Submission) -> bool:
        """Whether this is the founding event: the trust anchor is its hash."""
        value = submission.message.value
        return value is not None and signing.sha256(value) == self.genesis_hash

    def _refusal(self, submission: Submission, code: RefusalCode, directory: Directory) -> Message:
        # Id and time come from the submission's place alone, so that a repeat is the same bytes.
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
    """Why ``submission`` may not stand on the record; None if it may."""
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
    """Whether there are no headers but the contract's, each once."""
    # The signature covers the value alone: another header could carry words onto the record, or pass in an inbox for
    # one that the exchange adds.
    if submitted.header(CONTENT_TYPE_HEADER) != CONTENT_TYPE.encode():
        return False
    names = sorted(name for name, _ in submitted.headers)
    return names == _HEADERS or (isinstance(event.data, JurisdictionFounded) and set(names) <= set(_HEADERS))
