"""An ending stops services, so it is open only to an institution that still serves the survivor."""

import pytest

from handoff.record.codes import CaseService, EndScope, RejectionCode, ReleasePurpose, StartKind, State
from handoff.record.events import case as c
from handoff.record.events import referral as r
from tests.support.dsl.builders import REFERRAL, nth_id
from tests.support.dsl.spec import LAWYER, SHELTER, Sent, another, given, requested

REPRESENTED = nth_id(3)
"""The referral under which legal aid already works."""
_ENDED = "issue 11: one institution's ending stops the running services of every other institution"


def _legal_aid_works() -> tuple[Sent, ...]:
    return (
        *another(CaseService.LEGAL_AID, LAWYER, ReleasePurpose.LEGAL_REPRESENTATION),
        Sent(LAWYER, r.ReferralAccepted(referral=REPRESENTED)),
        Sent(LAWYER, r.ReferralStarted(referral=REPRESENTED, kind=StartKind.FIRST_CONTACT)),
    )


@pytest.mark.parametrize(
    "answer",
    [
        r.ReferralRejected(referral=REFERRAL, code=RejectionCode.CONFLICT_OF_INTEREST),
        r.ReferralAccepted(referral=REFERRAL),
    ],
    ids=["by a shelter that refused her", "by a shelter that still serves her"],
)
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=_ENDED)
def test_an_ending_does_not_stop_what_another_institution_already_gives(
    answer: r.ReferralRejected | r.ReferralAccepted,
) -> None:
    """Legal aid's work continues until legal aid itself confirms with the survivor that it shall end."""
    started = given(requested(), Sent(SHELTER, answer), _legal_aid_works())
    ended = started.when(SHELTER, c.SurvivorEnded(scope=EndScope.ALL))
    assert ended.record.referral(REPRESENTED).state is State.IN_PROGRESS
