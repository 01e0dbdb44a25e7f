"""Report of a checked history: counts and findings."""

from collections import Counter
from dataclasses import asdict, dataclass

from history_checker.checks import Violation, find_differences
from history_checker.history import CheckedHistory, JudgedEntry, read_history
from history_checker.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of everything that was checked, and the findings."""

    entries: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    deadlines_missed: int
    cases: int
    referrals: int
    states: dict[str, int]
    answered: int
    decided: int
    delivered: int
    duplicates_on_record: int
    longest_duplicate_distance: int
    duplicates_in_inboxes: int
    findings: tuple[Violation, ...]

    @property
    def holds(self) -> bool:
        """Return whether there are no findings."""
        return not self.findings

    def document(self) -> dict[str, object]:
        """Return the report for programs."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the report for people."""
        on_record = f"{self.duplicates_on_record} on the record (up to {self.longest_duplicate_distance} entries later)"
        return [
            f"{self.entries} entries on the record: {_format(self.outcomes)}",
            f"ineffective or invalid, by reason: {_format(self.reasons)}; {self.deadlines_missed} deadlines missed",
            f"{self.cases} cases, {self.referrals} referrals: {_format(self.states)}",
            f"{self.answered} commands answered, {self.decided} events decided by nodes, {self.delivered} delivered",
            f"sent twice: {on_record}, {self.duplicates_in_inboxes} in inboxes",
            *(f"{finding.check}: {finding.component}: {finding.detail}" for finding in self.findings),
            "no findings" if self.holds else f"{len(self.findings)} findings",
        ]


def build_report(snapshot: Snapshot) -> Report:
    """Read the history of a snapshot and run every check."""
    history = read_history(snapshot)
    referrals = history.state.referrals.values()
    return Report(
        entries=len(history.judged),
        outcomes=dict(Counter(judged.outcome for judged in history.judged)),
        reasons=dict(Counter(judged.reason for judged in history.judged if judged.reason is not None)),
        deadlines_missed=sum(_is_missed_deadline(judged) for judged in history.judged),
        cases=len(history.state.cases),
        referrals=len(referrals),
        states=dict(Counter(referral.state for referral in referrals)),
        answered=len(snapshot.answered),
        decided=sum(len(node.outbox) for node in snapshot.nodes.values()),
        delivered=sum(len(inbox) for inbox in history.inboxes.values()),
        duplicates_on_record=sum(judged.outcome == "duplicate" for judged in history.judged),
        longest_duplicate_distance=max(_duplicate_distances(history), default=0),
        duplicates_in_inboxes=sum(
            len(inbox) - len({entry.sequence for entry in inbox}) for inbox in snapshot.inboxes.values()
        ),
        findings=tuple(find_differences(snapshot, history)),
    )


def _duplicate_distances(history: CheckedHistory) -> list[int]:
    return [
        judged.entry.offset - history.first[judged.event.identity].entry.offset
        for judged in history.judged
        if judged.outcome == "duplicate" and judged.event is not None
    ]


def _is_missed_deadline(judged: JudgedEntry) -> bool:
    return judged.outcome == "effective" and judged.event is not None and judged.event.type == "deadline.missed.v1"


def _format(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
