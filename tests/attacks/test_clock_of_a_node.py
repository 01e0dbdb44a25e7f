"""A node whose own clock is wrong leaves decisions that depend on the clock to the record."""

from dataclasses import replace
from datetime import timedelta

import structlog

from handoff import clock
from handoff.domain.commands import AcceptReferral, OpenReferral
from handoff.domain.decide import About
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, REFERRAL, nth_id
from tests.support.parts.node_parts import OPENING, RELEASE, Parts


async def test_a_fast_clock_refuses_no_release(police: Parts) -> None:
    """The echoes show that this node is ten hours ahead of the record, so the record decides about an expiry."""
    fast = replace(police.desk(), clock=lambda: clock.now() + timedelta(hours=10))
    opened = await fast.submit(OPENING, About())
    await (await police.intake()).handle(await police.echoes(at=clock.now()))
    expiring = RELEASE.model_copy(update={"expires_at": clock.now() + timedelta(hours=5)})
    assert (await fast.submit(expiring, About(case=opened.about.case))).about.basis is not None


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


async def test_a_node_reports_its_fast_clock_until_it_is_corrected(police: Parts) -> None:
    """The measurement is in the backlog, which readiness and the metrics show; the change is one line of the log."""
    fast = replace(police.desk(), clock=lambda: clock.now() + timedelta(hours=10))
    intake = await police.intake()
    with structlog.testing.capture_logs() as lines:
        await fast.submit(OPENING, About())
        await intake.handle(await police.echoes(at=clock.now()))
        await fast.submit(OPENING, About())
        await intake.handle(await police.echoes(at=clock.now()))
    hours = (await police.desk().pending()).clock_offset_ms / 3_600_000
    assert 9.9 < hours <= 10
    assert [line["is_off"] for line in lines if line["event"] == "clock.offset_changed"] == [True]
    await police.desk().submit(OPENING, About())
    await intake.handle(await police.echoes(at=clock.now()))
    assert (await police.desk().pending()).clock_offset_ms == 0


async def test_an_event_that_waited_for_the_broker_does_not_accuse_the_clock(police: Parts) -> None:
    """Hours pass between the storage of an event and its record time, as in an outage."""
    early = replace(police.desk(), clock=lambda: clock.now() - timedelta(hours=10))
    await early.submit(OPENING, About())
    await (await police.intake()).handle(await police.echoes(at=clock.now()))
    assert (await police.desk().pending()).clock_offset_ms == 0
