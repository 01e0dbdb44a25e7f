"""The directory: who belongs to the jurisdiction, whose word counts at which position, and what each may take."""

from typing import Any

import pytest

from handoff.domain.directory import MAX_KEYS_IN_FORCE, RETIREMENT_GRACE
from handoff.domain.evolve import initial_situation
from handoff.domain.founding import key_registration
from handoff.domain.judge import authenticate
from handoff.domain.record_fold import examine
from handoff.domain.rules import CONDITIONS
from handoff.record import signing
from handoff.record.codec import encode
from handoff.record.codes import (
    CapacityBand,
    CapacityState,
    CapacityUnit,
    CaseService,
    KeyUse,
    RecipientClass,
    RefusalCode,
)
from handoff.record.delivery import DUPLICATE, EFFECTIVE, Verdict, VerdictKind, ineffective, invalid
from handoff.record.envelope import EXCHANGE
from handoff.record.events import CATALOGUE, ReferralBody
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.message import Message, sign
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, event, signed
from tests.support.dsl.spec import (
    COORDINATION,
    DAY,
    DIRECTORY,
    HOUR,
    JURISDICTION,
    POLICE,
    SECOND,
    SHELTER,
    SHELTER_B,
    T0,
    Sent,
    given,
    key_of,
)

GENESIS = signing.sha256(encode(spec.founding()))
NEXT = signing.SigningKey(b"n" * 32)
opening = spec.opened().body
register = key_registration(JURISDICTION, POLICE, NEXT)
retire = d.KeyRetired(key=key_of(POLICE).id)
revoke = d.KeyRevoked(key=key_of(POLICE).id)


def objection(message: Message, submitted: Any, record: spec.Record) -> RefusalCode | None:
    return authenticate(record.directory, message, submitted, record.now, GENESIS)


# Members


def test_every_event_that_is_not_about_a_referrals_life_has_its_rule() -> None:
    assert set(CONDITIONS) == {body for body in CATALOGUE.values() if not issubclass(body, ReferralBody)}


def test_only_the_coordinator_admits_suspends_and_sets_the_rules() -> None:
    for body in (
        d.AgencyAdmitted(member="hospital"),
        d.AgencySuspended(member=SHELTER),
        d.DeadlinesPublished(deadlines=()),
        d.RulesActivated(version=1),
        revoke,
    ):
        given().when(SHELTER, body).then_ineffective("wrong_emitter")
        given().when(COORDINATION, body).then(type(body))


def test_an_agency_is_a_target_from_its_admission_on() -> None:
    record = given().record
    admitted = d.AgencyAdmitted(
        member="hospital", services=(CaseService.MEDICAL,), classes=(RecipientClass.HEALTH_SERVICE,)
    )
    assert record.directory.candidates(RecipientClass.HEALTH_SERVICE, CaseService.MEDICAL) == ()
    entry = spec.Given(record).when(COORDINATION, admitted).then(d.AgencyAdmitted).new[0]
    assert record.directory.candidates(RecipientClass.HEALTH_SERVICE, CaseService.MEDICAL) == ("hospital",)
    assert entry.recipients == {*spec.MEMBERS, "hospital"}


def test_candidates_are_in_the_order_of_admission_without_suspended_members() -> None:
    shelters = (RecipientClass.LICENSED_SHELTER, CaseService.SHELTER)
    assert DIRECTORY.candidates(*shelters) == (SHELTER, SHELTER_B)
    suspended = given(Sent(COORDINATION, d.AgencySuspended(member=SHELTER))).record
    assert suspended.directory.candidates(*shelters) == (SHELTER_B,)
    again = d.AgencyAdmitted(member=SHELTER, services=(CaseService.SHELTER,), classes=(shelters[0],))
    spec.Given(suspended).when(COORDINATION, again).then(d.AgencyAdmitted)
    assert suspended.directory.candidates(*shelters) == (SHELTER, SHELTER_B)


def test_an_unknown_member_cannot_be_suspended_and_the_exchanges_name_not_admitted() -> None:
    given().when(COORDINATION, d.AgencySuspended(member="nobody")).then_ineffective("unknown_member")
    given().when(COORDINATION, d.AgencyAdmitted(member=EXCHANGE)).then_ineffective("reserved_member_id")
    of_unknown = key_registration(JURISDICTION, "nobody", NEXT)
    given().when(COORDINATION, of_unknown).then_ineffective("unknown_member")


def test_rules_that_this_release_does_not_know_are_not_activated() -> None:
    given().when(COORDINATION, d.RulesActivated(version=2)).then_ineffective("rules_not_supported")


def test_a_jurisdiction_is_founded_once() -> None:
    given().when(COORDINATION, spec.founding().data).then_ineffective("already")


def test_capacity_is_published_for_offered_services_and_routed_to_all() -> None:
    capacity = d.CapacityPublished(
        service=CaseService.SHELTER,
        unit=CapacityUnit.PLACE,
        band=CapacityBand.NONE,
        state=CapacityState.FULL,
        as_of=T0,
        valid_until=T0 + DAY,
    )
    given().when(POLICE, capacity).then_ineffective("service_not_offered")
    given().when(COORDINATION, capacity).then_ineffective("wrong_emitter")
    submitted = given().when(SHELTER, capacity).then(d.CapacityPublished)
    assert submitted.record.directory.capacity[SHELTER][CaseService.SHELTER].state is CapacityState.FULL
    assert submitted.new[0].recipients == set(spec.MEMBERS)


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_a_member_that_declared_nothing_reads_the_whole_first_contract(event_type: str) -> None:
    """So that an event between two parties can be sent, whatever its version, before both publish capabilities."""
    assert not DIRECTORY.cannot_read(SHELTER, CATALOGUE[event_type])
    assert not DIRECTORY.members[SHELTER].can_read(f"{event_type.rpartition('.v')[0]}.v9")


def test_a_declared_version_includes_the_earlier_ones_and_no_other_type() -> None:
    submitted = given(Sent(SHELTER, d.CapabilitiesPublished(reads=("referral.requested.v12",)))).record
    shelter = submitted.directory.members[SHELTER]
    assert shelter.can_read("referral.requested.v1")
    assert shelter.can_read("referral.requested.v12")
    assert not shelter.can_read("referral.requested.v13")
    assert submitted.directory.cannot_read(SHELTER, c.CaseOpened)
    assert not submitted.directory.cannot_read(POLICE, c.CaseOpened)


# Keys


def test_a_next_key_needs_proof_that_its_member_holds_it() -> None:
    given().when(COORDINATION, register).then(d.KeyRegistered)
    unproven = register.model_copy(update={"possession": "0" * 128})
    given().when(COORDINATION, unproven).then_ineffective("possession_not_proven")
    for_another = key_registration(JURISDICTION, SHELTER, NEXT).model_copy(update={"member": POLICE})
    given().when(COORDINATION, for_another).then_ineffective("possession_not_proven")
    no_point = register.model_copy(update={"public_key": "02" + "00" * 31})
    given().when(COORDINATION, no_point).then_ineffective("possession_not_proven")


def encryption(key: signing.SigningKey, member: str = POLICE) -> d.KeyRegistered:
    return key_registration(JURISDICTION, member, key).model_copy(update={"use": KeyUse.SEALING})


def test_a_signing_key_is_registered_by_the_coordinator_alone_and_never_twice() -> None:
    for other in (SHELTER, POLICE):
        given().when(other, register).then_ineffective("wrong_emitter")
    given(Sent(COORDINATION, register)).when(COORDINATION, register).then_ineffective("already")
    stolen = key_registration(JURISDICTION, SHELTER, key_of(POLICE))
    given().when(COORDINATION, stolen).then_ineffective("already")


def test_an_encryption_key_is_registered_by_its_member_or_the_coordinator() -> None:
    given().when(POLICE, encryption(NEXT)).then(d.KeyRegistered)
    given().when(COORDINATION, encryption(NEXT)).then(d.KeyRegistered)
    given().when(SHELTER, encryption(NEXT)).then_ineffective("wrong_emitter")


def test_the_exchanges_key_is_rotated_by_the_coordinator() -> None:
    of_exchange = key_registration(JURISDICTION, EXCHANGE, NEXT)
    given().when(POLICE, of_exchange).then_ineffective("wrong_emitter")
    record = given(Sent(COORDINATION, of_exchange)).record
    assert record.directory.signing_key(NEXT.id, T0 + DAY) is not None
    spec.Given(record).when(COORDINATION, d.KeyRetired(key=key_of(EXCHANGE).id)).then(d.KeyRetired)
    assert record.directory.signing_key(key_of(EXCHANGE).id, T0 + 2 * DAY) is None


@pytest.mark.parametrize("use", KeyUse)
def test_an_owner_has_a_few_keys_of_one_use_in_force(use: KeyUse) -> None:
    more = [
        encryption(key).model_copy(update={"use": use}) for key in (key_of(f"key {number}") for number in range(20))
    ]
    record = given().record
    entries = [record.send(Sent(COORDINATION, body)) for body in more]
    assert record.directory.keys_in_force(POLICE, use, T0 + DAY) == MAX_KEYS_IN_FORCE
    assert {entry.verdict.reason for entry in entries if not entry.verdict.is_effective} == {"too_many_keys"}
    spec.Given(record).when(COORDINATION, encryption(key_of("another"), SHELTER)).then(d.KeyRegistered)
    first = next(key for key, known in record.directory.keys.items() if (known.owner, known.use) == (POLICE, use))
    spec.Given(record).when(COORDINATION, d.KeyRevoked(key=first)).then(d.KeyRevoked)
    spec.Given(record).when(COORDINATION, more[-1]).then(d.KeyRegistered)


def test_a_revocation_takes_along_the_encryption_keys_that_the_owner_registered() -> None:
    """A thief of the signing key may have registered them. Keys that the coordinator registered stay."""
    own, by_coordinator, of_shelter = (encryption(key_of(name)) for name in ("own", "given", "other"))
    of_shelter = encryption(key_of("other"), SHELTER)
    history = (Sent(POLICE, own), Sent(COORDINATION, by_coordinator), Sent(SHELTER, of_shelter))
    record = given(*history, Sent(COORDINATION, revoke)).record
    in_force = {key.id for key in record.directory.keys.values() if key.use is KeyUse.SEALING and not key.revoked}
    assert in_force == {key_of("given").id, key_of("other").id}


def test_the_revocation_of_an_encryption_key_ends_no_other_key() -> None:
    own, other = encryption(key_of("own")), encryption(key_of("other"))
    record = given(
        Sent(POLICE, own), Sent(POLICE, other), Sent(COORDINATION, d.KeyRevoked(key=key_of("own").id))
    ).record
    assert [key.id for key in record.directory.keys.values() if key.revoked] == [key_of("own").id]


def test_a_key_counts_from_its_registration_and_not_before() -> None:
    record = given().record
    submitted = event(opening)
    early = signed(submitted, NEXT)
    assert objection(early, submitted, record) is RefusalCode.KEY_NOT_IN_FORCE
    record.send(Sent(COORDINATION, register))
    assert objection(early, submitted, record) is None


def test_a_retired_key_counts_through_its_grace_and_is_retired_once() -> None:
    given().when(SHELTER, retire).then_ineffective("wrong_emitter")
    given().when(COORDINATION, retire).then(d.KeyRetired)
    record = given(Sent(POLICE, retire)).record
    spec.Given(record).when(POLICE, retire, after=HOUR).then_ineffective("already")
    submitted = event(opening)
    record.now = T0 + SECOND + RETIREMENT_GRACE
    assert objection(signed(submitted), submitted, record) is None
    record.now += SECOND
    assert objection(signed(submitted), submitted, record) is RefusalCode.KEY_NOT_IN_FORCE


def test_a_revoked_key_is_void_from_that_position_on() -> None:
    record = given().record
    submitted = event(opening)
    assert objection(signed(submitted), submitted, record) is None
    record.send(Sent(COORDINATION, revoke))
    assert objection(signed(submitted), submitted, record) is RefusalCode.KEY_NOT_IN_FORCE
    again = key_registration(JURISDICTION, POLICE, key_of(POLICE))
    spec.Given(record).when(COORDINATION, again).then_ineffective("already")
    unknown = d.KeyRevoked(key="0" * 64)
    spec.Given(record).when(COORDINATION, unknown).then_ineffective("unknown_key")


# Authentication


def _tampered(message: Message) -> Message:
    assert message.value is not None
    return Message(message.key, message.value.replace(b"police_call", b"police_CALL"), message.headers)


def test_an_event_signed_by_its_emitter_counts() -> None:
    submitted = event(opening)
    assert objection(signed(submitted), submitted, given().record) is None


@pytest.mark.parametrize(
    ("submitted", "message", "code"),
    [
        (event(opening), signed(event(opening), key_of(SHELTER)), RefusalCode.KEY_NOT_OWNER),
        (event(opening), signed(event(opening), NEXT), RefusalCode.KEY_NOT_IN_FORCE),
        (event(opening), _tampered(signed(event(opening))), RefusalCode.SIGNATURE),
        (event(opening), Message(str(spec.CASE).encode(), encode(event(opening))), RefusalCode.SIGNATURE),
        (
            event(opening),
            sign(str(spec.nth_id(1)), encode(event(opening)), key_of(POLICE)),
            RefusalCode.MALFORMED,
        ),
        (event(opening), Message(None, encode(event(opening))), RefusalCode.MALFORMED),
        (event(opening), Message(str(spec.CASE).encode(), None), RefusalCode.MALFORMED),
        (
            event(opening, jurisdiction="gjakova"),
            signed(event(opening, jurisdiction="gjakova")),
            RefusalCode.WRONG_JURISDICTION,
        ),
        (event(opening, generation=2), signed(event(opening, generation=2)), RefusalCode.WRONG_JURISDICTION),
        (
            event(retire, subject="gjakova"),
            signed(event(retire, subject="gjakova")),
            RefusalCode.WRONG_JURISDICTION,
        ),
    ],
    ids=[
        "another's key",
        "an unknown key",
        "other bytes",
        "no signature",
        "another case's key",
        "no key",
        "no value",
        "another jurisdiction",
        "another generation",
        "about another jurisdiction",
    ],
)
def test_an_event_not_signed_by_its_emitter_is_refused_with_a_code(
    submitted: Any, message: Message, code: RefusalCode
) -> None:
    assert objection(message, submitted, given().record) is code


def test_a_sealing_key_signs_nothing() -> None:
    sealing = register.model_copy(update={"use": KeyUse.SEALING})
    record = given(Sent(POLICE, sealing)).record
    submitted = event(opening)
    assert objection(signed(submitted, NEXT), submitted, record) is RefusalCode.KEY_NOT_IN_FORCE


# Examined at its position


def _verdict(message: Message, first: str | None = None) -> Verdict:
    known = given(spec.opened()).record.known()
    verdict, _ = examine(known, _parsed(message), first_hash=first, at=T0 + HOUR, genesis_hash=GENESIS)
    return verdict


def _parsed(message: Message) -> ParsedRecord:
    return parse(KafkaRecord(0, 0, message))


def test_the_founding_event_is_known_by_its_hash_alone() -> None:
    unfounded = initial_situation(JURISDICTION, GENERATION)
    genesis = _parsed(Message(JURISDICTION.encode(), encode(spec.founding())))
    verdict, after = examine(unfounded, genesis, first_hash=None, at=T0, genesis_hash=GENESIS)
    assert verdict == EFFECTIVE
    assert after.directory.coordinator == COORDINATION
    another, _ = examine(unfounded, genesis, first_hash=None, at=T0, genesis_hash="0" * 64)
    assert another == invalid("signature")


def test_the_first_of_two_equal_entries_counts_and_other_bytes_under_its_id_are_an_equivocation() -> None:
    submitted = signed(event(spec.release()))
    assert submitted.value is not None
    assert _verdict(submitted) == EFFECTIVE
    assert _verdict(submitted, first=signing.sha256(submitted.value)) == DUPLICATE
    assert _verdict(submitted, first="0" * 64) == invalid("equivocation")


def test_an_entry_that_is_no_event_or_not_genuine_is_invalid_and_takes_no_id() -> None:
    assert _verdict(Message(b"x", b"{}")) == invalid("schema")
    assert _verdict(Message(None, None)).kind is VerdictKind.INVALID
    forged = signed(event(spec.release()), key_of(SHELTER))
    assert _verdict(forged, first="0" * 64) == invalid("key_not_owner")
    assert _verdict(signed(event(opening))) == ineffective("already")
