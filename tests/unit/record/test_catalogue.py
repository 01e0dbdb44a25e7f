"""The catalogue has the emitters and recipients of the design's table, and no other event."""

import pytest

from handoff.contract.examples import examples
from handoff.record.codec import decode, encode
from handoff.record.envelope import COORDINATION, EXCHANGE
from handoff.record.events import CATALOGUE, Audience, Emitter, Keying, ReferralBody

DESIGNED: tuple[tuple[Emitter, Audience, str], ...] = (
    # The design has no recipient for the founding; a node checks its trust anchor, so it has to receive it.
    (Emitter.COORDINATION, Audience.ALL, "jurisdiction.founded"),
    (Emitter.ANY_AGENCY, Audience.EMITTER_ONLY, "case.opened cases.linked"),
    (Emitter.CASE_PARTY, Audience.EMITTER_ONLY, "basis.recorded release.withdrawn survivor.ended"),
    (Emitter.BASIS_OWNER, Audience.EMITTER_ONLY, "basis.approved"),
    (Emitter.EXCHANGE, Audience.BASIS_OWNER, "basis.ended"),
    (
        Emitter.SOURCE,
        Audience.TARGET,
        "referral.requested referral.imported acceptance.claimed dossier.disclosed cancellation.requested",
    ),
    (Emitter.SOURCE, Audience.EMITTER_ONLY, "referral.redirected"),
    (Emitter.TARGET, Audience.SOURCE, "referral.delivered referral.opened dossier.delivered cancellation.declined"),
    (Emitter.TARGET, Audience.SOURCE, "referral.accepted referral.rejected place-hold.extended referral.started"),
    (Emitter.TARGET, Audience.SOURCE, "referral.paused referral.resumed referral.completed"),
    (Emitter.TARGET, Audience.SOURCE, "service.continued onward.refused"),
    # The exchange also reports a failed referral, to both sides; for a side that emits it, that is the other side.
    (Emitter.EITHER_PARTY, Audience.BOTH_PARTIES, "referral.failed"),
    (Emitter.EITHER_PARTY, Audience.OTHER_PARTY, "referral.cancelled dossier.destroyed referral.voided"),
    (Emitter.EXCHANGE, Audience.BOTH_PARTIES, "referral.revoked disclosure.closed ending.reported"),
    (Emitter.EXCHANGE, Audience.STEP_PARTIES, "deadline.missed deadline.acknowledged"),
    (Emitter.EXCHANGE, Audience.COORDINATION, "deadline.escalated escalation.ended"),
    (Emitter.COORDINATION, Audience.EMITTER_ONLY, "escalation.acknowledged board.read"),
    (Emitter.MEMBER, Audience.EMITTER_ONLY, "case.read erasure.completed"),
    (Emitter.MEMBER, Audience.ALL, "capacity.published capabilities.published"),
    (
        Emitter.COORDINATION,
        Audience.ALL,
        "agency.admitted agency.suspended deadlines.published calendars.published key.revoked value.redacted",
    ),
    (Emitter.COORDINATION, Audience.ALL, "rules.activated"),
    (Emitter.KEY_AUTHORITY, Audience.ALL, "key.registered key.retired"),
    (Emitter.EXCHANGE, Audience.NAMED_MEMBER, "submission.refused"),
)
NEWER = {"deadline.escalated": 2}
"""Current version of each type that is not in its first."""
ROUTES = {
    f"{name}.v{NEWER.get(name, 1)}": (emitter, audience)
    for emitter, audience, names in DESIGNED
    for name in names.split()
}


def test_every_event_of_the_design_is_in_the_catalogue_and_no_other() -> None:
    assert set(CATALOGUE) == set(ROUTES)


@pytest.mark.parametrize("event_type", ROUTES)
def test_an_event_has_the_emitter_and_the_audience_that_the_design_names(event_type: str) -> None:
    body = CATALOGUE[event_type]
    assert (body.emitter, body.audience) == ROUTES[event_type]


def test_events_for_all_members_and_for_coordination_are_keyed_by_the_jurisdiction() -> None:
    """A case id in an event for all members, or for coordination, would tell them of the case."""
    widely_routed = {Audience.ALL, Audience.COORDINATION, Audience.NAMED_MEMBER}
    keyed = {name for name, body in CATALOGUE.items() if body.keying is not Keying.CASE}
    assert keyed == {name for name, body in CATALOGUE.items() if body.audience in widely_routed} | {
        "escalation.acknowledged.v1",
        "board.read.v1",
    }


def test_a_partys_event_names_the_referral_and_the_version_it_had_seen() -> None:
    of_parties = {Emitter.SOURCE, Emitter.TARGET, Emitter.EITHER_PARTY}
    for body in CATALOGUE.values():
        if body.emitter in of_parties:
            assert issubclass(body, ReferralBody)


def test_no_event_names_its_own_audience() -> None:
    """Routing is data beside the type; an emitter cannot choose recipients."""
    for body in CATALOGUE.values():
        assert {"audience", "to", "recipients", "routed_to"}.isdisjoint(body.model_fields)


def test_an_escalation_contains_neither_case_nor_referral() -> None:
    body = CATALOGUE["deadline.escalated.v2"]
    times = {"age_seconds", "since", "due_at", "acknowledge_by", "notify_at"}
    assert set(body.model_fields) == {"reference", "repeats", "member", "service", "urgency", "step", *times}


def test_a_types_name_is_where_it_is_found() -> None:
    for event_type, body in CATALOGUE.items():
        assert body.type == event_type


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_an_example_has_a_permitted_emitter_and_decodes(event_type: str) -> None:
    example = examples()[event_type]
    special = {Emitter.EXCHANGE: EXCHANGE, Emitter.COORDINATION: COORDINATION}
    assert example.emitter == special.get(example.data.emitter, example.emitter)
    assert (example.case_id is None) is (example.data.keying is not Keying.CASE)
    assert decode(encode(example)) == example
