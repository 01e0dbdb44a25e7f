"""Values that have the right form and make no sense are refused by the name of their field."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from handoff.config import ConfigurationError, jurisdiction_plan
from handoff.domain import commands
from handoff.domain.decide import CLAIM_TOLERANCE, About, invalid_field
from handoff.record.codes import CaseService, EndScope, State
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.events.directory import CAPACITY_UNITS, Capacity
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, OTHER_CASE, T0
from tests.support.dsl.spec import MINUTE, POLICE, REFERRAL, SHELTER, Sent, given

CAPACITY: Mapping[str, Any] = {
    "service": "shelter",
    "unit": "place",
    "band": "some",
    "state": "open",
    "as_of": T0,
    "valid_until": T0 + timedelta(days=1),
}


def _refused_field(model: type, **fields: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        model(**fields)
    [fault] = refused.value.errors()
    return ".".join(map(str, fault["loc"]))


@pytest.mark.parametrize("later", [timedelta(0), timedelta(microseconds=-1), timedelta(days=-30)])
def test_capacity_does_not_expire_before_it_is_counted(later: timedelta) -> None:
    assert _refused_field(Capacity, **{**CAPACITY, "valid_until": T0 + later}) == "valid_until"


@pytest.mark.parametrize(
    ("service", "unit"), [("shelter", "course_seat"), ("vocational_training", "place"), ("legal_aid", "family_room")]
)
def test_a_service_is_counted_in_its_own_units(service: str, unit: str) -> None:
    assert _refused_field(Capacity, **{**CAPACITY, "service": service, "unit": unit}) == "unit"


def test_each_service_has_units() -> None:
    assert set(CAPACITY_UNITS) == set(CaseService)
    assert all(CAPACITY_UNITS.values())


def test_a_deadline_for_an_unknown_step_is_refused_in_a_plan_and_in_a_command(tmp_path: Path) -> None:
    row = {"step": "breakfast", "amount": 3600, "source": "practice"}
    assert _refused_field(commands.PublishDeadlines, deadlines=[row]) == "deadlines.0.step"
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[jurisdiction]\nname = "small"\ngeneration = 1\n[[members]]\nid = "police"\n'
        '[[deadlines]]\nid = "morning"\nstep = "breakfast"\namount = 3600\nsource = "practice"\n'
    )
    with pytest.raises(ConfigurationError, match=r"deadlines\.0\.step"):
        jurisdiction_plan(plan)


def test_a_command_did_not_happen_in_the_future() -> None:
    """Beyond the difference that two clocks may have."""
    at = T0 + CLAIM_TOLERANCE
    assert invalid_field(commands.OpenReferral(occurred_at=at), About(case=CASE), T0) is None
    found = invalid_field(commands.OpenReferral(occurred_at=at + timedelta(microseconds=1)), About(case=CASE), T0)
    assert found is not None
    assert found.field == "occurred_at"


def test_a_case_is_not_linked_to_itself() -> None:
    assert invalid_field(commands.LinkCase(other_case=OTHER_CASE), About(case=CASE), T0) is None
    found = invalid_field(commands.LinkCase(other_case=CASE), About(case=CASE), T0)
    assert found is not None
    assert found.field == "other_case"


def test_a_link_of_a_case_to_itself_has_no_effect_on_the_record() -> None:
    given(spec.requested()).when(POLICE, c.CasesLinked(other_case=spec.CASE)).then_ineffective("already")


def _rejected() -> list[Sent]:
    return [Sent(SHELTER, r.ReferralRejected(referral=REFERRAL, code="no_capacity.units_full"), MINUTE)]


def _accepted() -> Sent:
    return Sent(SHELTER, r.ReferralAccepted(referral=REFERRAL), MINUTE)


ENDINGS: Mapping[str, tuple[State, list[Sent]]] = {
    "rejected": (State.REJECTED, _rejected()),
    "cancelled": (State.CANCELLED, [Sent(POLICE, r.ReferralCancelled(referral=REFERRAL), MINUTE)]),
    "revoked": (State.REVOKED, [Sent(POLICE, c.ReleaseWithdrawn(scope=EndScope.ALL), MINUTE)]),
    "failed": (
        State.FAILED,
        [_accepted(), Sent(SHELTER, r.ReferralFailed(referral=REFERRAL, code="no_arrival"), MINUTE)],
    ),
}


@pytest.mark.parametrize(("state", "events"), ENDINGS.values(), ids=ENDINGS)
def test_disclosure_is_closed_where_a_referral_has_ended(state: State, events: list[Sent]) -> None:
    """Nothing may be disclosed any more, so the field does not say that it is open."""
    referral = given(spec.requested(), *events).record.referral()
    assert referral.state is state
    assert not referral.disclosure_open


def test_disclosure_is_open_while_a_referral_is() -> None:
    assert given(spec.requested(), _accepted()).record.referral().disclosure_open
