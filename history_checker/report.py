"""What a checked history comes to, in counts."""

from collections import Counter
from dataclasses import asdict, dataclass

from history_checker.checks import Finding, findings
from history_checker.evidence import Evidence
from history_checker.history import History, Judged, history_of


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of what was checked, and everything that was found amiss."""

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
    twice_on_record: int
    farthest_repeat: int
    twice_in_inboxes: int
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is amiss."""
        return not self.findings

    def document(self) -> dict[str, object]:
        """The same for programs."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The same for people."""
        on_record = f"{self.twice_on_record} on the record (the farthest {self.farthest_repeat} later)"
        told = [
            f"{self.entries} entries on the record: {_told(self.outcomes)}",
            f"ineffective or invalid, by reason: {_told(self.reasons)}; {self.deadlines_missed} deadlines missed",
            f"{self.cases} cases, {self.referrals} referrals: {_told(self.states)}",
            f"{self.answered} commands answered, {self.decided} events decided by nodes, {self.delivered} delivered",
            f"sent twice: {on_record}, {self.twice_in_inboxes} in inboxes",
        ]
        told += [f"{finding.check}: {finding.where}: {finding.what}" for finding in self.findings]
        return [*told, "nothing is amiss" if self.holds else f"{len(self.findings)} things are amiss"]


def report(evidence: Evidence) -> Report:
    """A history read again and checked."""
    history = history_of(evidence)
    referrals = history.world.referrals.values()
    return Report(
        entries=len(history.judged),
        outcomes=dict(Counter(judged.outcome for judged in history.judged)),
        reasons=dict(Counter(judged.reason for judged in history.judged if judged.reason is not None)),
        deadlines_missed=sum(_is_missed(judged) for judged in history.judged),
        cases=len(history.world.cases),
        referrals=len(referrals),
        states=dict(Counter(referral.state for referral in referrals)),
        answered=len(evidence.answered),
        decided=sum(len(node.outbox) for node in evidence.nodes.values()),
        delivered=sum(len(told) for told in history.inboxes.values()),
        twice_on_record=sum(judged.outcome == "duplicate" for judged in history.judged),
        farthest_repeat=max(_repeats(history), default=0),
        twice_in_inboxes=sum(len(e) - len({entry.sequence for entry in e}) for e in evidence.inboxes.values()),
        findings=tuple(findings(evidence, history)),
    )


def _repeats(history: History) -> list[int]:
    return [
        judged.entry.offset - history.first[judged.event.subject, judged.event.id].entry.offset
        for judged in history.judged
        if judged.outcome == "duplicate" and judged.event is not None
    ]


def _is_missed(judged: Judged) -> bool:
    return judged.outcome == "effective" and judged.event is not None and judged.event.type == "deadline.missed.v1"


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
