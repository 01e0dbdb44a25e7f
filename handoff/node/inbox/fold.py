"""Fold of a batch of inbox entries over a node's state. Pure in-memory: filled, queried, discarded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from handoff.domain.case import Case, ReferralKey, Situation
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, changed_escalations
from handoff.domain.evolve import evolve
from handoff.domain.judge import authenticate, table_allows
from handoff.domain.rules import check_support
from handoff.node.commands import optimistic_state
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.rows import (
    Echo,
    OutboxRow,
    OwnKeyEvent,
    ParkedReferral,
    PendingEvent,
    QuarantinedEntry,
    RefusedSubmission,
    code_of_stub,
)
from handoff.record import signing
from handoff.record.codes import RefusalCode
from handoff.record.delivery import invalid
from handoff.record.envelope import Event
from handoff.record.events import Body
from handoff.record.events.directory import KeyRegistered, KeyRetired, KeyRevoked, SubmissionRefused, ValueRedacted
from handoff.record.redaction import Redaction

KEY_REFUSED = invalid(RefusalCode.KEY_NOT_IN_FORCE)

NEWER_TYPE = "newer_type"
"""Parked: an event of a type that this release cannot read; it is folded again after an upgrade."""
IMPOSSIBLE = "impossible"
"""Parked: the own table does not allow what the exchange called effective."""


@dataclass
class InboxFold:
    """The folded state during a batch, and the other results of the batch."""

    me: str
    genesis_hash: str
    directory: Directory
    cases: dict[UUID, Case]
    parked: dict[ReferralKey, ParkedReferral]
    changed: dict[UUID, int] = field(default_factory=dict)
    directory_sequence: int | None = None
    escalations: dict[UUID, tuple[Escalation | None, int]] = field(default_factory=dict)
    """Reference → changed escalation, None if it was acknowledged, with the sequence of the entry."""
    parks: list[ParkedReferral] = field(default_factory=list)
    quarantined: list[QuarantinedEntry] = field(default_factory=list)
    echoes: list[Echo] = field(default_factory=list)
    foreign: set[UUID] = field(default_factory=set)
    """Ids of echoes without a row in the outbox: another holder of the member's key signed these events."""
    stubs: list[QuarantinedEntry] = field(default_factory=list)
    """Redacted entries, held until the coordinator's order for them arrives. Without it, a stub is tampering."""
    orders: list[tuple[str, str]] = field(default_factory=list)
    """Code and hash of the values that the coordinator ordered to remove."""
    refusals: list[RefusedSubmission] = field(default_factory=list)
    unsigned: list[OutboxRow] = field(default_factory=list)
    """Own events that were recorded while their key was not in force. They count once another key signs them."""
    key_refusals: list[str] = field(default_factory=list)
    """SHA-256 (hex) of all own events with such a key, those that the exchange refused included."""
    key_events: list[OwnKeyEvent] = field(default_factory=list)

    def apply(self, entry: InboxEntry) -> None:
        """Apply the next entry, in inbox order. Raises ``UnsupportedRules``; then the state is unchanged."""
        event = entry.event
        if (redaction := Redaction.found(entry.delivery.message.value)) is not None:
            code = code_of_stub(redaction.reason)
            self.stubs.append(QuarantinedEntry(entry.delivery.sequence, entry.offset, code, redaction.value_sha256))
            return
        if event is None:
            self._apply_undecodable(entry)
            return
        if entry.delivery.verdict.is_effective:
            check_support(event.data)
        if event.emitter == self.me:
            self._apply_echo(entry, event)
        if entry.delivery.verdict.is_effective:
            self._apply_effective(entry, event)

    def saved(self) -> Mapping[UUID, tuple[Case, int]]:
        """Return the changed cases, each with the sequence of its last change."""
        return {key: (self.cases[key], sequence) for key, sequence in self.changed.items()}

    def still_pending(self, pending: Iterable[PendingEvent]) -> tuple[PendingEvent, ...]:
        """Return the events of ``pending`` that the batch neither echoed nor refused."""
        echoed = {(echo.row.id, echo.row.value) for echo in self.echoes}
        refused = {refusal.value_hash for refusal in self.refusals}
        return tuple(
            row for row in pending if (row.id, row.value) not in echoed and signing.sha256(row.value) not in refused
        )

    def discard_results(self) -> None:
        """Discard the results that a rebuild does not store: those about own events, which the outbox has."""
        for results in (self.echoes, self.refusals, self.unsigned, self.key_refusals, self.key_events):
            results.clear()

    def _apply_undecodable(self, entry: InboxEntry) -> None:
        if not entry.delivery.current_verdict.is_effective:
            return
        if entry.case is not None and entry.referral is not None:
            self._park(entry, ReferralKey(entry.case, entry.referral), NEWER_TYPE)
        else:
            self._quarantine(entry, entry.objection or NEWER_TYPE)

    def _apply_echo(self, entry: InboxEntry, event: Event[Any]) -> None:
        delivery = entry.delivery
        row = OutboxRow.of(event, delivery.record_time, delivery.message.value)
        if delivery.verdict == KEY_REFUSED:
            self.unsigned.append(row)
            self.key_refusals.append(row.value_hash)
            return
        self.echoes.append(Echo(row, delivery.sequence, delivery.verdict, delivery.record_time))

    def _apply_effective(self, entry: InboxEntry, event: Event[Any]) -> None:
        delivery = entry.delivery
        objection = authenticate(self.directory, delivery.message, event, delivery.record_time, self.genesis_hash)
        if objection is not None:
            self._quarantine(entry, objection.value)
            return
        if isinstance(event.data, SubmissionRefused):
            self._apply_refusal(entry, event.data)
        if isinstance(event.data, ValueRedacted):
            # The order follows the entry that it names, in every inbox that has both.
            order = code_of_stub(event.data.reason), event.data.value_hash
            self.orders.append(order)
            self.stubs = [stub for stub in self.stubs if (stub.code, stub.value_hash) != order]
        if (key := self._own_key(event.data)) is not None:
            self.key_events.append(OwnKeyEvent(delivery.sequence, event.type, key))
        self._evolve(entry, event)

    def _apply_refusal(self, entry: InboxEntry, refusal: SubmissionRefused) -> None:
        delivery = entry.delivery
        if refusal.code is RefusalCode.KEY_NOT_IN_FORCE:
            self.key_refusals += refusal.value_hashes
        else:
            self.refusals += (
                RefusedSubmission(value_hash, refusal.code.value, delivery.sequence, delivery.record_time)
                for value_hash in refusal.value_hashes
            )

    def _own_key(self, body: Body) -> str | None:
        """Return the id of the key of this member that the event registers or ends; None if it does neither."""
        if isinstance(body, KeyRegistered):
            return signing.key_id(bytes.fromhex(body.public_key)) if body.member == self.me else None
        if isinstance(body, KeyRevoked | KeyRetired):
            key = self.directory.keys.get(body.key)
            return key.id if key is not None and key.owner == self.me else None
        return None

    def _evolve(self, entry: InboxEntry, event: Event[Any]) -> None:
        case, referral = event.case_id, getattr(event.data, "referral", None)
        key = ReferralKey(case, referral) if case is not None and referral is not None else None
        if key in self.parked:
            return
        known = optimistic_state.situation_of(
            self.directory, event.subject, self.cases.get(case) if case is not None else None
        )
        if key is not None and not table_allows(known, event):
            self._park(entry, key, IMPOSSIBLE)
            return
        sequence, at = entry.delivery.sequence, entry.delivery.record_time
        self._update(evolve(known, event, at), sequence)
        for reference, escalation in changed_escalations(event, at).items():
            self.escalations[reference] = escalation, sequence

    def _update(self, after: Situation, sequence: int) -> None:
        if after.directory is not self.directory:
            self.directory, self.directory_sequence = after.directory, sequence
        if after.case is not None:
            self.cases[after.case.id] = after.case
            self.changed[after.case.id] = sequence

    def _park(self, entry: InboxEntry, key: ReferralKey, why: str) -> None:
        if key not in self.parked:
            park = ParkedReferral(key, entry.delivery.sequence, why)
            self.parked[key] = park
            self.parks.append(park)

    def _quarantine(self, entry: InboxEntry, code: str) -> None:
        value_hash = signing.sha256(entry.delivery.message.value or b"")
        self.quarantined.append(QuarantinedEntry(entry.delivery.sequence, entry.offset, code, value_hash))
