"""Validation of submissions: each becomes an entry of the record, or a refusal with a code and the value's hash.

Pure. Intake knows the directory only. The router judges whether an event is effective, at its position on the record.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from handoff.domain.directory import Directory
from handoff.domain.judge import authenticate
from handoff.domain.own_keys import OwnKeys
from handoff.domain.rules import VERSIONS, activated_version
from handoff.exchange import cpu_work
from handoff.record import codec, message, signing
from handoff.record.codes import RefusalCode
from handoff.record.delivery import from_ms
from handoff.record.envelope import CONTENT_TYPE, EXCHANGE, Event, Source, compose
from handoff.record.events.directory import MAX_REFUSED, JurisdictionFounded, SubmissionRefused
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import CONTENT_TYPE_HEADER, KEY_ID_HEADER, SIGNATURE_HEADER, Message
from handoff.record.named_members import named_members

_REFUSALS = UUID("b7f3a1de-6f0e-5f0b-8d52-0c6f3f1f9b21")
_HEADERS = sorted((CONTENT_TYPE_HEADER, SIGNATURE_HEADER, KEY_ID_HEADER))


@dataclass(frozen=True, slots=True)
class Submission:
    """Record of a member's outgoing topic."""

    topic: str
    record: KafkaRecord

    @property
    def member(self) -> str:
        """Owner of the topic. The broker lets no other principal write to it."""
        return self.member_of(self.topic)

    @staticmethod
    def member_of(topic: str) -> str:
        """Return the owner of an outgoing topic."""
        return topic.rpartition(".")[2]

    @property
    def message(self) -> Message:
        """Key, value and headers."""
        return self.record.message


@dataclass(frozen=True, slots=True)
class SubmissionValidator:
    """Validator with the trust anchor and the keys that sign refusals."""

    genesis_hash: str
    keys: OwnKeys

    def validate(self, submissions: Sequence[Submission], directory: Directory) -> Iterator[tuple[Message, str | None]]:
        """Yield the messages to append, each with the code if it is a refusal. Never raises on any bytes."""
        return self.to_append(submissions, self.objections(submissions, directory), directory)

    def objections(self, submissions: Iterable[Submission], directory: Directory) -> list[RefusalCode | None]:
        """Return the code by which each submission is refused, None if it is accepted. Never raises on any bytes."""
        return [objection(submission, directory, self.genesis_hash) for submission in submissions]

    def to_append(
        self, submissions: Sequence[Submission], codes: Sequence[RefusalCode | None], directory: Directory
    ) -> Iterator[tuple[Message, str | None]]:
        """Yield the accepted submissions, and refusals of the others.

        Refusals of one member for one reason share an event, in the place of the first. So a member that sends many
        malformed submissions adds little more than their hashes to the record.
        """
        refused: dict[tuple[str, RefusalCode], list[Submission]] = {}
        for submission, code in zip(submissions, codes, strict=True):
            if code is not None:
                refused.setdefault((submission.member, code), []).append(submission)
        for submission, code in zip(submissions, codes, strict=True):
            if code is None:
                yield submission.message, None
                continue
            together = refused.pop((submission.member, code), [])
            for first in range(0, len(together), MAX_REFUSED):
                yield self._refusal(together[first : first + MAX_REFUSED], code, directory), code

    def is_founding(self, submission: Submission) -> bool:
        """Return whether this is the founding event: the trust anchor is its hash."""
        value = submission.message.value
        return value is not None and signing.sha256(value) == self.genesis_hash

    def _refusal(self, submissions: Sequence[Submission], code: RefusalCode, directory: Directory) -> Message:
        submission = submissions[-1]
        body = SubmissionRefused(
            member=submission.member,
            code=code,
            value_hashes=tuple(signing.sha256(refused.message.value or b"") for refused in submissions),
        )
        # Id and time depend on topic, offsets and append time only, so that a repetition has the same bytes. After a
        # crash the batches may be others: then an event with another id refuses some of the submissions again.
        offsets = ",".join(str(refused.record.offset) for refused in submissions)
        event = compose(
            id=uuid5(_REFUSALS, f"{submission.topic}/{offsets}"),
            source=Source(directory.jurisdiction, directory.generation, EXCHANGE),
            subject=body.keying.subject(directory.jurisdiction),
            time=from_ms(submission.record.appended_ms),
            body=body,
        )
        key = self.keys.signing(directory, event.time) or self.keys.current
        return message.sign(event.subject, codec.encode(event), key)


def objection(submission: Submission, directory: Directory, genesis_hash: str) -> RefusalCode | None:
    """Return why ``submission`` must not be appended to the record; None if it may be."""
    event = cpu_work.parse_value(submission.message.value or b"").event
    if not isinstance(event, Event):
        return event
    at = from_ms(submission.record.appended_ms)
    found = authenticate(directory, submission.message, event, at, genesis_hash, verify=cpu_work.verifies)
    if found is not None:
        return found
    if event.emitter != submission.member:
        return RefusalCode.KEY_NOT_OWNER
    if not _names_known_members(event, directory):
        return RefusalCode.UNLISTED_MEMBER
    if activated_version(event.data) not in (None, *VERSIONS) and not isinstance(event.data, JurisdictionFounded):
        return RefusalCode.UNKNOWN_RULES
    return None if _has_only_contract_headers(submission.message, event) else RefusalCode.MALFORMED


def _names_known_members(event: Event[Any], directory: Directory) -> bool:
    # A member id that the directory does not have could be a word about the survivor. The coordinator creates member
    # ids, and may use one before the stored directory has it. An agency uses those that its own directory has.
    if event.emitter == directory.coordinator or isinstance(event.data, JurisdictionFounded):
        return True
    return all(member in directory.members for member in named_members(event.data))


def _has_only_contract_headers(submitted: Message, event: Event[Any]) -> bool:
    # The signature covers the value alone. Another header could carry text onto the record, or look in an inbox like
    # one that the exchange adds.
    if submitted.header(CONTENT_TYPE_HEADER) != CONTENT_TYPE.encode():
        return False
    names = sorted(name for name, _ in submitted.headers)
    return names == _HEADERS or (isinstance(event.data, JurisdictionFounded) and set(names) <= set(_HEADERS))
