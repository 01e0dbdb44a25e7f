"""What changed in a case between two moments."""

from datetime import datetime
from uuid import UUID

from handoff.domain.case import Referral
from handoff.record.codes import State
from handoff.views.replay.answer import Answer, Line, Row, line, names
from handoff.views.replay.history import History, Told
from handoff.views.replay.refused import QuestionRefused


class Change(Row):
    """An entry that was appended between the two moments, with the states that it led its referral between.

    It is notable where it changed nothing. ``told`` are the members into whose inboxes it went.
    """

    entry: Line
    told: tuple[str, ...]
    state_before: State | None
    state_after: State | None


class Moved(Row):
    """A referral that was in another state at the later moment; absent before its request."""

    referral: UUID
    source: str
    target: str
    before: State
    after: State


class Diff(Answer[Change]):
    """What was said after ``since`` and up to ``moment``, and which referrals ``moved`` by it."""

    since: datetime
    moved: tuple[Moved, ...]

    def of(self, agency: str | None) -> "Diff":
        """The part of it that concerns ``agency``; all of it if that is None."""
        if agency is None:
            return self
        moved = tuple(one for one in self.moved if one.concerns(agency))
        return super().of(agency).model_copy(update={"moved": moved})


def diff(history: History, since: datetime, moment: datetime) -> Diff:
    """What changed after ``since`` and up to ``moment``. Raises QuestionRefused if they are in the wrong order."""
    if moment < since:
        raise QuestionRefused("from", "is after the moment that it is compared with")
    earlier, later = history.until(since), history.until(moment)
    new = later.told[len(earlier.told) :]
    return Diff(
        since=since,
        moment=moment,
        rows=tuple(_change(told) for told in new if told.entry.is_of_case),
        moved=tuple(
            _moved(earlier.case.referrals.get(referral.id), referral)
            for referral in later.case.referrals.values()
            if _state(earlier.case.referrals.get(referral.id)) is not referral.state
        ),
    )


def _change(told: Told) -> Change:
    return Change(
        agencies=names(told.emitter, *told.recipients),
        positions=(told.position,),
        notable=not told.verdict.is_effective,
        entry=line(told),
        told=names(*told.recipients),
        state_before=told.referral_before.state if told.referral_before is not None else None,
        state_after=told.referral.state if told.referral is not None else None,
    )


def _state(referral: Referral | None) -> State:
    return State.ABSENT if referral is None else referral.state


def _moved(before: Referral | None, after: Referral) -> Moved:
    return Moved(
        agencies=names(after.source, after.target),
        referral=after.id,
        source=after.source,
        target=after.target,
        before=_state(before),
        after=after.state,
    )
