"""View *corrections*: retractions, answers by phone, late entries and wrong clocks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from handoff.record.envelope import EXCHANGE
from handoff.record.events.referral import AcceptanceClaimed, ReferralAccepted, ReferralImported, ReferralVoided
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members, seconds, seconds_or_none
from handoff.views.replay.history import History, ReplayedEntry

LATE = timedelta(minutes=5)
"""Longer than a healthy relay takes. An earlier claimed time means an offline outbox or a backdated event."""

AHEAD = timedelta(seconds=5)
"""Tolerance between synchronised clocks. An event cannot be emitted after it was recorded."""


class Correction(StrEnum):
    """Kind of correction."""

    VOIDED = "voided"
    CLAIMED_BY_PHONE = "claimed_by_phone"
    BROUGHT_OVER = "brought_over"
    DATED_BACK = "dated_back"
    CLOCK_AHEAD = "clock_ahead"
    RECORD_CLOCK_BACK = "record_clock_back"


class CorrectionRow(AnswerRow):
    """One correction; ``seconds`` is the distance of the claimed time, or of the confirmation, from record time.

    An unconfirmed phone answer and a wrong time are notable.
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
    """Corrections of a case."""


def corrections(history: History, moment: datetime) -> Corrections:
    """Return every correction up to ``moment``, in the record's order."""
    then = history.until(moment)
    rows = tuple(row for entry in then.own if entry.counts for row in (*_corrected(then, entry), *_of_clocks(entry)))
    return Corrections(moment=moment, rows=rows)


def _corrected(then: History, entry: ReplayedEntry) -> Iterator[CorrectionRow]:
    if entry.is_a(ReferralVoided):
        yield _row(entry, Correction.VOIDED).model_copy(update={"code": entry.body.code.value})
    elif entry.is_a(AcceptanceClaimed):
        yield _by_phone(then, entry)
    elif entry.is_a(ReferralImported):
        since = seconds(entry.body.began_at, entry.at)
        yield _row(entry, Correction.BROUGHT_OVER).model_copy(
            update={"claimed_at": entry.body.began_at, "seconds": since}
        )


def _by_phone(then: History, entry: ReplayedEntry) -> CorrectionRow:
    answers = (one for one in then.saying(ReferralAccepted) if one.referral_id == entry.referral_id)
    confirmed = next((one.at for one in answers), None)
    return _row(entry, Correction.CLAIMED_BY_PHONE).model_copy(
        update={
            "code": entry.body.via.value,
            "confirmed_at": confirmed,
            "seconds": seconds_or_none(entry.at, confirmed),
            "notable": confirmed is None,
        }
    )


def _of_clocks(entry: ReplayedEntry) -> Iterator[CorrectionRow]:
    event, appended = entry.decoded.event, entry.decoded.appended_at
    if appended < entry.at:
        yield _off(entry, Correction.RECORD_CLOCK_BACK, appended)
    # The exchange dates its own events by their cause, however late it emits them.
    if event is None or event.emitter == EXCHANGE:
        return
    if event.time > entry.at + AHEAD:
        yield _off(entry, Correction.CLOCK_AHEAD, event.time)
    elif event.time < entry.at - LATE:
        yield _off(entry, Correction.DATED_BACK, event.time)


def _off(entry: ReplayedEntry, correction: Correction, time: datetime) -> CorrectionRow:
    apart = max(entry.at - time, time - entry.at) / timedelta(seconds=1)
    return _row(entry, correction).model_copy(update={"claimed_at": time, "seconds": apart, "notable": True})


def _row(entry: ReplayedEntry, correction: Correction) -> CorrectionRow:
    parties = (entry.referral.source, entry.referral.target) if entry.referral is not None else ()
    return CorrectionRow(
        agencies=distinct_members(entry.emitter, *parties),
        positions=(entry.position,),
        correction=correction,
        at=entry.at,
        emitter=entry.emitter,
        type=entry.event_type,
        referral=entry.referral_id,
    )
