"""The record fold: every entry judged in the record's order, and the state after it.

Exchange, projection and redaction run this fold, so that one record gives all of them the same record times, verdicts
and alarms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from handoff.domain.case import Case, Situation
from handoff.domain.directory import Directory
from handoff.domain.escalations import NO_ESCALATIONS, Escalation, Escalations, changed_escalations
from handoff.domain.judge import Verify, authenticate, judge, repetition
from handoff.domain.rules import check_support
from handoff.record import signing
from handoff.record.codes import IneffectiveReason, State
from handoff.record.delivery import EQUIVOCATION, REDACTED, Verdict, VerdictKind, from_ms, invalid
from handoff.record.envelope import EXCHANGE, Event, Identity
from handoff.record.events.deadline import DeadlineAcknowledged, DeadlineEscalated
from handoff.record.events.directory import SubmissionRefused
from handoff.record.kafka_record import ParsedRecord
from handoff.record.record_time import is_plausible

_TAKES_IDENTITY: Final = frozenset({VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE})
_OVERTAKING: Final = (IneffectiveReason.ALREADY, IneffectiveReason.BASIS_EXPIRED, IneffectiveReason.RELEASE_WITHDRAWN)
# The exchange's own events can be overtaken before they are appended: the state moved on, or a timer ran early.
_OVERTAKEN: Final = frozenset(State) - {State.ABSENT} | {IneffectiveReason.TOO_EARLY, *_OVERTAKING}
# These follow from facts that cannot change before they are appended.
_NEVER_OVERTAKEN: Final = (SubmissionRefused, DeadlineEscalated, DeadlineAcknowledged)


FALSE_TIME: Final = "record_time"
"""Alarm: the clocks of broker and exchange disagree, so that the entry's append time is bounded or late."""


class JudgedRecord(Struct, frozen=True, gc=False):
    """A record with its verdict and its record time, also in milliseconds since 1970-01-01 UTC.

    Record time is the greatest append time so far, each bounded by the exchange's stamp. ``rules`` is the version of
    the rules in force at the entry, 0 before the founding event.
    """

    record: ParsedRecord
    record_ms: int
    record_time: datetime
    verdict: Verdict
    rules: int = 0

    @property
    def takes_identity(self) -> bool:
        """True for the first entry that counts with its identity; later ones are repetitions."""
        return self.verdict.kind in _TAKES_IDENTITY

    @property
    def proven_emitter(self) -> str | None:
        """Emitter of an authentic event; None for other entries, whose source is only a claim."""
        kind, event = self.verdict.kind, self.record.event
        if not isinstance(event, Event):
            return None
        is_authentic = kind is not VerdictKind.INVALID or self.verdict == EQUIVOCATION
        return event.emitter if is_authentic else None

    @property
    def has_plausible_time(self) -> bool:
        """True if the clocks of broker and exchange agreed when the entry was appended."""
        return is_plausible(self.record.kafka.skew_ms)

    @property
    def alarm(self) -> str:
        """Code under which an alarm about this entry is counted."""
        if not self.has_plausible_time:
            return FALSE_TIME
        return self.verdict.reason or self.verdict.kind.value

    @property
    def is_alarming(self) -> bool:
        """True for an entry that a correct exchange would not have appended.

        That is an invalid entry, and an ineffective event of the exchange itself, unless an entry appended between
        decision and publication explains it. It is also an entry whose append time differs too much from the exchange's
        stamp.
        """
        kind, event = self.verdict.kind, self.record.event
        if kind is VerdictKind.INVALID or not self.has_plausible_time:
            return True
        if kind is not VerdictKind.INEFFECTIVE or not isinstance(event, Event) or event.emitter != EXCHANGE:
            return False
        return self.verdict.reason not in _OVERTAKEN or isinstance(event.data, _NEVER_OVERTAKEN)


@dataclass(slots=True)
class RecordFold:
    """State at a position of the record. ``apply`` moves it on by one entry.

    The caller loads the cases, escalations and first hashes that the next entries need before it applies them. A case
    that is missing counts as new, an escalation as not open, an identity as unused. ``first_hashes`` has the SHA-256
    (hex) of the value that took each identity.
    """

    genesis_hash: str
    directory: Directory
    record_ms: int = 0
    cases: dict[UUID, Case] = field(default_factory=dict)
    escalations: dict[UUID, Escalation] = field(default_factory=dict)
    first_hashes: dict[Identity, str] = field(default_factory=dict)
    verify: Verify = signing.verifies

    def apply(self, record: ParsedRecord) -> tuple[JudgedRecord, Situation, Situation]:
        """Judge the next entry and move the state on; return the state before and after it too.

        Raises ``UnsupportedRules`` at the entry that puts rules into force which this release does not have, and
        nothing else. The state is then that before the entry, apart from record time.
        """
        self.record_ms = max(self.record_ms, record.kafka.counted_ms)
        at = from_ms(self.record_ms)
        case_id, identity = record.case_id, record.identity
        case = None if case_id is None else self.cases.get(case_id) or Case(case_id)
        before = Situation(self.directory, case, self._escalations(record.escalation))
        verdict, after = examine(
            before,
            record,
            first_hash=None if identity is None else self.first_hashes.get(identity),
            at=at,
            genesis_hash=self.genesis_hash,
            verify=self.verify,
        )
        judged = JudgedRecord(record, self.record_ms, at, verdict, before.directory.rules)
        if identity is not None and judged.takes_identity:
            self.first_hashes[identity] = record.value_hash
        self.directory = after.directory
        if after.case is not None and after.case is not case:
            self.cases[after.case.id] = after.case
        if isinstance(record.event, Event) and after.escalations is not before.escalations:
            self._keep(changed_escalations(record.event, at))
        return judged, before, after

    def _escalations(self, reference: UUID | None) -> Escalations:
        found = self.escalations.get(reference) if reference is not None else None
        return {found.reference: found} if found is not None else NO_ESCALATIONS

    def _keep(self, changed: Mapping[UUID, Escalation | None]) -> None:
        for reference, escalation in changed.items():
            if escalation is not None:
                self.escalations[reference] = escalation
            else:
                self.escalations.pop(reference, None)


def examine(
    known: Situation,
    record: ParsedRecord,
    *,
    first_hash: str | None,
    at: datetime,
    genesis_hash: str,
    verify: Verify = signing.verifies,
) -> tuple[Verdict, Situation]:
    """Return the verdict on ``record`` at record time ``at``, and the state after it. Raises ``UnsupportedRules``.

    The state stays the same object unless the verdict is *effective*. No other bytes raise an error.
    """
    event = record.event
    if not isinstance(event, Event):
        return REDACTED if record.is_redacted else invalid(event), known
    objection = authenticate(known.directory, record.message, event, at, genesis_hash, verify=_verify(record, verify))
    if objection is not None:
        return invalid(objection), known
    repeated = repetition(first_hash, record.value_hash)
    if repeated is not None:
        return repeated, known
    verdict, after = judge(known, event, at)
    if verdict.reason == IneffectiveReason.RULES_NOT_SUPPORTED:
        # A release that has the version judges the event effective. To continue would split the verdicts.
        check_support(event.data)
    return verdict, after


def _verify(record: ParsedRecord, otherwise: Verify) -> Verify:
    checked = record.checked_signature
    if checked is None:
        return otherwise

    def known_result(public_key: bytes, body: bytes, signature: bytes) -> bool:
        # The key may have changed since the check.
        if public_key == checked.public_key:
            return checked.is_valid
        return otherwise(public_key, body, signature)

    return known_result
