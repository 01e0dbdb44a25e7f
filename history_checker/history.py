"""The record read from its beginning: the verdict on each entry, its recipients, and the state that follows."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from history_checker.fold import apply_event
from history_checker.lifecycle_tables import RECIPIENTS
from history_checker.parsing import Event, Identity, InvalidEvent, parse_event, sha256, time_from_ms
from history_checker.referral_rules import ineffective_reason
from history_checker.signatures import authentication_failure
from history_checker.snapshot import RecordEntry, Snapshot
from history_checker.state import JurisdictionState, Referral
from history_checker.statement_rules import EXCHANGE


@dataclass(frozen=True, slots=True)
class JudgedEntry:
    """Entry with the checker's verdict; ``event`` is None if the bytes are no event."""

    entry: RecordEntry
    event: Event | None
    record_ms: int
    outcome: str
    reason: str | None = None


@dataclass(slots=True)
class CheckedHistory:
    """Everything that follows from the record alone; ``first`` has the first entry of each identity."""

    state: JurisdictionState
    generation: int
    genesis: str
    judged: list[JudgedEntry] = field(default_factory=list)
    inboxes: dict[str, list[JudgedEntry]] = field(default_factory=lambda: defaultdict(list))
    first: dict[Identity, JudgedEntry] = field(default_factory=dict)
    _broadcast: list[JudgedEntry] = field(default_factory=list)
    _record_ms: int = 0

    def append(self, entry: RecordEntry) -> None:
        """Judge, route and fold the next entry."""
        self._record_ms = max(self._record_ms, entry.appended_ms)
        at = time_from_ms(self._record_ms)
        judged = self._judge(entry, at)
        self.judged.append(judged)
        if judged.event is None:
            return
        if judged.outcome in ("effective", "ineffective"):
            self.first[judged.event.identity] = judged
        referral_before = self._referral(judged.event)
        members_before = set(self.state.members)
        if judged.outcome == "effective":
            apply_event(self.state, judged.event, at)
        self._route(judged, judged.event, referral_before, members_before)

    def _judge(self, entry: RecordEntry, at: datetime) -> JudgedEntry:
        try:
            event = parse_event(entry.value)
        except InvalidEvent as error:
            return JudgedEntry(entry, None, self._record_ms, "invalid", error.code)
        outcome, reason = self._verdict(entry, event, at)
        return JudgedEntry(entry, event, self._record_ms, outcome, reason)

    def _verdict(self, entry: RecordEntry, event: Event, at: datetime) -> tuple[str, str | None]:
        invalid = self._invalid_reason(entry, event, at)
        if invalid is not None:
            return "invalid", invalid
        first = self.first.get(event.identity)
        if first is not None:
            return ("duplicate", None) if first.entry.value == entry.value else ("invalid", "equivocation")
        reason = ineffective_reason(self.state, event, at)
        return ("effective", None) if reason is None else ("ineffective", reason)

    def _invalid_reason(self, entry: RecordEntry, event: Event, at: datetime) -> str | None:
        if event.realm != (self.state.jurisdiction, self.generation):
            return "wrong_jurisdiction"
        if entry.key is None or entry.value is None or entry.key.decode("utf-8", "replace") != event.subject:
            return "malformed"
        if not event.is_about_a_case and event.subject.removesuffix("/status") != self.state.jurisdiction:
            return "wrong_jurisdiction"
        if event.type == "jurisdiction.founded.v1":
            return None if sha256(entry.value) == self.genesis else "signature"
        return authentication_failure(self.state.keys, event, entry.value, entry.headers, at)

    # Routing

    def _route(
        self, judged: JudgedEntry, event: Event, referral_before: Referral | None, members_before: set[str]
    ) -> None:
        for newcomer in self.state.members.keys() - members_before:
            self.inboxes[newcomer] += self._broadcast
        for member in self._recipients(judged, event, referral_before) & self.state.members.keys():
            self.inboxes[member].append(judged)
        if judged.outcome == "effective" and RECIPIENTS[event.type] == "all members":
            self._broadcast.append(judged)

    def _recipients(self, judged: JudgedEntry, event: Event, referral_before: Referral | None) -> set[str]:
        if judged.outcome == "duplicate":
            return set()
        emitter = {event.emitter} - {EXCHANGE}
        if judged.outcome == "effective":
            return emitter | self._recipients_by_table(event)
        # A side that lost a race: both sides know the referral, so both see the losing event.
        # Any other failed event goes to its emitter alone.
        lost_race = referral_before is not None and event.emitter in (referral_before.source, referral_before.target)
        if judged.outcome == "ineffective" and lost_race:
            return emitter | self._recipients_by_table(event)
        return emitter

    def _recipients_by_table(self, event: Event) -> set[str]:
        recipients, referral = RECIPIENTS[event.type], self._referral(event)
        if recipients == "all members":
            return set(self.state.members)
        if recipients in ("coordinator", "named member"):
            return {self.state.coordinator if recipients == "coordinator" else event.data["member"]}
        if referral is not None:
            return _sides_by_table(recipients, referral, event)
        case = self.state.cases.get(event.subject)
        basis = case.bases.get(event.data.get("basis") or "") if case is not None and recipients != "none" else None
        return {basis.owner} if basis is not None else set()

    def _referral(self, event: Event) -> Referral | None:
        case = self.state.cases.get(event.subject)
        return case.referrals.get(event.referral or "") if case is not None else None


def _sides_by_table(recipients: str, referral: Referral, event: Event) -> set[str]:
    both = {referral.source, referral.target}
    if recipients == "sides of the step":
        # The next step after a refusal concerns the source alone, and so does the acknowledgement that it is late.
        is_next = event.data["step"] == "acknowledged" and referral.state == "rejected"
        return {referral.source} if event.data["step"] == "next_referral" or is_next else both
    return {
        "none": set[str](),
        "source": {referral.source},
        "target": {referral.target},
        "other side": {referral.other_side(event.emitter)},
        "both sides": both,
    }[recipients]


def read_history(snapshot: Snapshot) -> CheckedHistory:
    """Judge, route and fold every entry of the snapshot's record."""
    history = CheckedHistory(JurisdictionState(snapshot.jurisdiction), snapshot.generation, snapshot.genesis)
    for entry in snapshot.record:
        history.append(entry)
    return history
