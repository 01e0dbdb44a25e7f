"""Difference of a case between two moments."""

from datetime import datetime
from uuid import UUID

from handoff.domain.case import Referral
from handoff.record.codes import State
from handoff.views.replay.answer import Answer, AnswerRow, EntrySummary, differences_of, distinct_members, summarise
from handoff.views.replay.history import History, ReplayedEntry
from handoff.views.replay.refused import QuestionRefused


class ChangedEntry(AnswerRow):
    """An entry appended between the two moments, with its referral's state before and after.

    An ineffective entry is notable. ``recipients`` are the members it was delivered to.
    """

    entry: EntrySummary
    recipients: tuple[str, ...]
    state_before: State | None
    state_after: State | None


class Moved(AnswerRow):
    """A referral whose state differs between the moments; *absent* before its request."""

    referral: UUID
    source: str
    target: str
    before: State
    after: State


class Diff(Answer[ChangedEntry]):
    """Entries after ``since`` up to ``moment``, and the referrals whose state ``moved``."""

    since: datetime
    moved: tuple[Moved, ...]

    def of(self, agency: str | None) -> "Diff":
        """Restrict the answer to rows that concern ``agency``; None keeps all."""
        if agency is None:
            return self
        moved = tuple(one for one in self.moved if one.concerns(agency))
        return super().of(agency).model_copy(update={"moved": moved})


def diff(history: History, since: datetime, moment: datetime) -> Diff:
    """Return the changes after ``since`` up to ``moment``. Raises ``QuestionRefused`` if ``since`` is later."""
    if moment < since:
        raise QuestionRefused("from", "is later than the moment it is compared with")
    earlier, later = history.until(since), history.until(moment)
    new = later.entries[len(earlier.entries) :]
    return Diff(
        since=since,
        moment=moment,
        differs=differences_of(history),
        rows=tuple(_change(entry) for entry in new if entry.decoded.is_of_case),
        moved=tuple(
            _moved(earlier.case.referrals.get(referral.id), referral)
            for referral in later.case.referrals.values()
            if _state(earlier.case.referrals.get(referral.id)) is not referral.state
        ),
    )


def _change(entry: ReplayedEntry) -> ChangedEntry:
    return ChangedEntry(
        agencies=distinct_members(entry.emitter, *entry.recipients),
        positions=(entry.position,),
        notable=not entry.verdict.is_effective,
        entry=summarise(entry),
        recipients=distinct_members(*entry.recipients),
        state_before=entry.referral_before.state if entry.referral_before is not None else None,
        state_after=entry.referral.state if entry.referral is not None else None,
    )


def _state(referral: Referral | None) -> State:
    return State.ABSENT if referral is None else referral.state


def _moved(before: Referral | None, after: Referral) -> Moved:
    return Moved(
        agencies=distinct_members(after.source, after.target),
        referral=after.id,
        source=after.source,
        target=after.target,
        before=_state(before),
        after=after.state,
    )
