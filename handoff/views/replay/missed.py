"""View *missed*: late steps, the source of their deadline, escalation and response."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.domain.case import Basis, Case, Referral, Step
from handoff.domain.deadlines import open_steps, responsible_member, step_parties
from handoff.domain.escalations import escalation_reference
from handoff.record.codes import AcknowledgementAction, CaseService, DeadlineStep
from handoff.record.events.deadline import DeadlineEscalated, DeadlineMissed, EscalationAcknowledged
from handoff.views.replay.answer import Answer, AnswerRow, seconds
from handoff.views.replay.history import History, ReplayedEntry


class RestsOn(StrEnum):
    """Source of a step's due time: a published deadline of one of three kinds, or an agreement."""

    LAW = "law"
    PRACTICE = "practice"
    ASSUMED = "assumed"
    AGREED = "agreed"


class MissedRow(AnswerRow):
    """A late step. ``reported_at`` is when the exchange reported it; an unreported late step is notable.

    ``over_at`` is when the step was no longer awaited; until then it accrues lateness. ``action`` is the coordinator's.
    """

    step: DeadlineStep
    referral: UUID | None
    basis: UUID | None
    service: CaseService | None
    owes: str
    since: datetime
    due_at: datetime
    rests_on: RestsOn
    reported_at: datetime | None
    over_at: datetime | None
    late_seconds: float
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    action: AcknowledgementAction | None


class Missed(Answer[MissedRow]):
    """Late steps of a case. Notable: not reported by the exchange, or not acknowledged by the coordinator."""


@dataclass(frozen=True, slots=True)
class _Late:
    """A late step of a referral or basis, the entry that reported it, and when it was no longer awaited."""

    holder: Referral | Basis
    step: Step
    reported: ReplayedEntry | None
    over_at: datetime | None

    @property
    def referral(self) -> Referral | None:
        return self.holder if isinstance(self.holder, Referral) else None


def missed(history: History, moment: datetime) -> Missed:
    """Return every step that was late by ``moment``, ordered by due time."""
    then = history.until(moment)
    late = (*_reported(then), *_done_late_unreported(then), *_open_late_unreported(then, moment))
    rows = (_row(then, one, moment) for one in late)
    return Missed(moment=moment, rows=tuple(sorted(rows, key=lambda row: row.due_at)))


def _reported(then: History) -> Iterator[_Late]:
    """Yield the late steps that the exchange reported."""
    for entry in then.saying(DeadlineMissed):
        holder = _holder(entry.before.case, entry.body.referral or entry.body.basis)
        for step in holder.steps if holder is not None else ():
            if holder is not None and step.is_step(entry.body.step, entry.body.since):
                later = (other for other in then.own if other.position > entry.position)
                over = (other.at for other in later if not _is_awaited(other.after.case, holder, step))
                yield _Late(holder, step, entry, next(over, None))


def _done_late_unreported(then: History) -> Iterator[_Late]:
    """Yield the steps done late without a report."""
    for entry in then.own:
        if entry.before.case is None or entry.after.case is entry.before.case:
            continue
        for holder, step in open_steps(entry.before.case):
            if step.due_at < entry.at and not _is_awaited(entry.after.case, holder, step):
                yield _Late(holder, step, None, entry.at)


def _open_late_unreported(then: History, moment: datetime) -> Iterator[_Late]:
    """Yield the steps late at the end without a report."""
    for holder, step in open_steps(then.case):
        if step.due_at < moment:
            yield _Late(holder, step, None, None)


def _holder(case: Case | None, holder: UUID) -> Referral | Basis | None:
    return None if case is None else case.referrals.get(holder) or case.bases.get(holder)


def _is_awaited(case: Case | None, holder: Referral | Basis, step: Step) -> bool:
    found = _holder(case, holder.id)
    return found is not None and any(s.is_step(step.step, step.since) for s in found.steps)


def _row(then: History, late: _Late, moment: datetime) -> MissedRow:
    holder, step, referral = late.holder, late.step, late.referral
    escalated, answered = _escalation(then, late.reported)
    return MissedRow(
        agencies=_parties(holder, step),
        positions=tuple(other.position for other in (late.reported, escalated, answered) if other is not None),
        notable=late.reported is None or answered is None,
        step=step.step,
        referral=referral.id if referral is not None else None,
        basis=holder.id if referral is None else None,
        service=referral.service if referral is not None else None,
        owes=responsible_member(holder, step.step) if isinstance(holder, Referral) else holder.owner,
        since=step.since,
        due_at=step.due_at,
        rests_on=_rests_on(step),
        reported_at=late.reported.at if late.reported is not None else None,
        over_at=late.over_at,
        late_seconds=seconds(step.due_at, late.over_at or moment),
        escalated_at=escalated.at if escalated is not None else None,
        acknowledged_at=answered.at if answered is not None else None,
        action=answered.body.action if answered is not None else None,
    )


def _parties(holder: Referral | Basis, step: Step) -> tuple[str, ...]:
    if isinstance(holder, Basis):
        return (holder.owner,)
    return tuple(sorted(step_parties(holder, step.step)))


def _rests_on(step: Step) -> RestsOn:
    return RestsOn.AGREED if step.agreed or step.allowance is None else RestsOn(step.allowance.source.value)


def _escalation(then: History, entry: ReplayedEntry | None) -> tuple[ReplayedEntry | None, ReplayedEntry | None]:
    """Return the escalation of a missed deadline and its acknowledgement."""
    if entry is None or entry.decoded.event is None:
        return None, None
    reference = escalation_reference(entry.decoded.event.id)
    passed = then.saying(DeadlineEscalated, EscalationAcknowledged)
    about = [other for other in passed if other.body.reference == reference]
    escalated = next((other for other in about if other.is_a(DeadlineEscalated)), None)
    return escalated, next((other for other in about if other.is_a(EscalationAcknowledged)), None)
