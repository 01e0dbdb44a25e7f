"""Notices to the member that owes a step, at half and at four fifths of its time."""

from datetime import timedelta

import pytest

from handoff.domain.notices import Notice, notices
from handoff.record.codes import CaseService, DeadlineStep, HoldCode, ReleasePurpose
from handoff.record.events import referral as r
from tests.support.dsl import spec
from tests.support.dsl.spec import CSW, DAY, HOUR, POLICE, Record, Sent, given, nth_id

MANAGED = nth_id(3)


def accepted() -> Record:
    """Case management whose first contact the CSW owes within a day."""
    asked = spec.another(CaseService.CASE_MANAGEMENT, CSW, ReleasePurpose.CASE_MANAGEMENT)
    return given(spec.opened(), *asked, Sent(CSW, r.ReferralAccepted(referral=MANAGED))).record


def to(member: str, record: Record, later: timedelta) -> tuple[Notice, ...]:
    """Return the notices to ``member`` some time after the last entry."""
    return notices([record.case()], member, record.directory, record.now + later)


@pytest.mark.parametrize(
    ("later", "shares"),
    [
        (0.5 * DAY - timedelta(seconds=1), []),
        (0.5 * DAY, [50]),
        (0.8 * DAY, [50, 80]),
        (DAY, []),
    ],
    ids=["before the half", "half", "four fifths", "late"],
)
def test_the_owing_member_gets_a_notice_at_half_and_at_four_fifths(later: timedelta, shares: list[int]) -> None:
    """The one that waits gets none, and a late step has an escalation instead."""
    record = accepted()
    assert [notice.share for notice in to(CSW, record, later)] == shares
    assert to(POLICE, record, later) == ()


def test_a_notice_has_the_same_id_and_time_whenever_it_is_read() -> None:
    record = accepted()
    first, again = (to(CSW, record, later)[0] for later in (0.5 * DAY, 0.9 * DAY))
    assert (first.id, first.at) == (again.id, again.at)
    assert (first.clock.step, first.at - record.now) == (DeadlineStep.FIRST_CONTACT, 0.5 * DAY)


def test_a_hold_moves_a_notice_and_there_is_none_while_it_lasts() -> None:
    record = accepted()
    record.send(Sent(CSW, r.ReferralPaused(referral=MANAGED, code=HoldCode.SURVIVOR_REQUEST), HOUR))
    assert [n for n in to(CSW, record, DAY) if n.clock.step is DeadlineStep.FIRST_CONTACT] == []
    record.send(Sent(CSW, r.ReferralResumed(referral=MANAGED), 5 * DAY))
    assert to(CSW, record, 11 * HOUR - timedelta(seconds=1)) == ()
    assert [notice.share for notice in to(CSW, record, 11 * HOUR)] == [50]


def test_a_notice_waits_for_the_working_hours_of_its_member() -> None:
    """The clock of the step runs day and night; the notice wakes no person."""
    record = accepted()
    [notice] = to(CSW, record, 0.5 * DAY)
    assert notice.notify_at >= notice.at
    local = notice.notify_at + timedelta(minutes=spec.CALENDARS.offset_minutes)
    assert 8 <= local.hour < 16
