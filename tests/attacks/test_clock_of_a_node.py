"""A node whose own clock is wrong leaves decisions that depend on the clock to the record."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handoff import clock
from handoff.domain.commands import AcceptReferral, OpenReferral
from handoff.domain.decide import About
from handoff.node.commands.results import Refused
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, REFERRAL, nth_id
from tests.support.parts.node_parts import OPENING, RELEASE, Parts


@pytest.mark.xfail(
    strict=True,
    raises=Refused,
    reason="issue 11: a node whose clock is hours ahead refuses a release that the record would accept",
)
async def test_a_fast_clock_refuses_no_release(police: Parts) -> None:
    """The echoes show that this node is ten hours ahead of the record, so the record decides about an expiry."""
    fast = replace(police.desk(), clock=lambda: clock.now() + timedelta(hours=10))
    opened = await fast.submit(OPENING, About())
    await (await police.intake()).handle(await police.echoes(at=clock.now()))
    expiring = RELEASE.model_copy(update={"expires_at": clock.now() + timedelta(hours=5)})
    assert (await fast.submit(expiring, About(case=opened.about.case))).about.basis is not None


@pytest.mark.xfail(
    strict=True,
    raises=Refused,
    reason="issue 11: a node whose clock is hours ahead refuses an acceptance that the record would count",
)
async def test_a_fast_clock_refuses_no_acceptance(shelter: Parts) -> None:
    """The release that the request rests on is in force for three hours by the record, whatever the shelter's clock."""
    short = spec.release(basis=nth_id(1)).model_copy(update={"expires_at": clock.now() + timedelta(hours=3)})
    request = shelter.town.event(spec.request(short), subject=CASE)
    about, intake = About(case=CASE, referral=REFERRAL), await shelter.intake()
    await intake.handle([shelter.post(request, at=clock.now())])
    fast = replace(shelter.desk(), clock=lambda: clock.now() + timedelta(hours=10))
    await fast.submit(OpenReferral(), about)
    await intake.handle(await shelter.echoes(at=clock.now()))
    accepted = await fast.submit(AcceptReferral(), about)
    assert len(accepted.events) == 1
