"""The view corrections: what was taken back, told by phone, told late, or told by a clock that is wrong."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from handoff.record.envelope import EXCHANGE
from handoff.record.events.referral import AcceptanceClaimed, ReferralAccepted, ReferralImported, ReferralVoided
from handoff.views.replay.answer import Answer, Row, names, seconds, seconds_or_none
from handoff.views.replay.history import History, Told

LATE = timedelta(minutes=5)
"""Longer than a healthy relay takes: what is claimed for earlier was stored offline, or dated back."""

AHEAD = timedelta(seconds=5)
"""More than honest clocks differ: nobody can speak later than the record heard it."""


class Correction(StrEnum):
    """What was not said once, at once, by a true clock."""

    VOIDED = "voided"
    CLAIMED_BY_PHONE = "claimed_by_phone"
    BROUGHT_OVER = "brought_over"
    DATED_BACK = "dated_back"
    CLOCK_AHEAD = "clock_ahead"
    RECORD_CLOCK_BACK = "record_clock_back"


class CorrectionRow(Row):
    """One correction; ``seconds`` is how far the claimed time, or the confirmation, lies from the record's.

    A phone answer that its target has not confirmed, and a time that is off, are notable.
    """

    correction: Correction
    at: datetime
    emitter: str | None
    type: str | None
    referral: UUID | None
    code: str | None = None
    claimed_at: datetime | None = None
    confirmed_at: datetime | None = None
    seconds: float | None = None


class Corrections(Answer[CorrectionRow]):
    """The corrections of a case."""


def corrections(history: History, moment: datetime) -> Corrections:
    """Every correction until ``moment``, in the record's order."""
    then = history.until(moment)
    rows = tuple(row for told in then.own if told.counts for row in (*_said(then, told), *_of_clocks(told)))
    return Corrections(moment=moment, rows=rows)


def _said(then: History, told: Told) -> Iterator[CorrectionRow]:
    if told.says(ReferralVoided):
        yield _row(told, Correction.VOIDED).model_copy(update={"code": told.body.code.value})
    elif told.says(AcceptanceClaimed):
        yield _by_phone(then, told)
    elif told.says(ReferralImported):
        since = seconds(told.body.began_at, told.at)
        yield _row(told, Correction.BROUGHT_OVER).model_copy(
            update={"claimed_at": told.body.began_at, "seconds": since}
        )


def _by_phone(then: History, told: Told) -> CorrectionRow:
    answers = (one for one in then.saying(ReferralAccepted) if one.referral_id == told.referral_id)
    confirmed = next((one.at for one in answers), None)
    return _row(told, Correction.CLAIMED_BY_PHONE).model_copy(
        update={
            "code": told.body.via.value,
            "confirmed_at": confirmed,
            "seconds": seconds_or_none(told.at, confirmed),
            "notable": confirmed is None,
        }
    )


def _of_clocks(told: Told) -> Iterator[CorrectionRow]:
    event, appended = told.entry.event, told.entry.appended_at
    if appended < told.at:
        yield _off(told, Correction.RECORD_CLOCK_BACK, appended)
    # The exchange dates what it says by its cause, however late it says it.
    if event is None or event.emitter == EXCHANGE:
        return
    if event.time > told.at + AHEAD:
        yield _off(told, Correction.CLOCK_AHEAD, event.time)
    elif event.time < told.at - LATE:
        yield _off(told, Correction.DATED_BACK, event.time)


def _off(told: Told, correction: Correction, time: datetime) -> CorrectionRow:
    apart = max(told.at - time, time - told.at) / timedelta(seconds=1)
    return _row(told, correction).model_copy(update={"claimed_at": time, "seconds": apart, "notable": True})


def _row(told: Told, correction: Correction) -> CorrectionRow:
    parties = (told.referral.source, told.referral.target) if told.referral is not None else ()
    return CorrectionRow(
        agencies=names(told.emitter, *parties),
        positions=(told.position,),
        correction=correction,
        at=told.at,
        emitter=told.emitter,
        type=told.event_type,
        referral=told.referral_id,
    )
