"""Exchange, projection and verifier authenticate alike, for any events of the directory."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoff.domain.case import Case, Situation
from handoff.domain.directory import RETIREMENT_GRACE, Directory
from handoff.domain.founding import key_registration
from handoff.domain.record_fold import examine
from handoff.proof.verify.authorship import AuthorshipCheck, AuthorshipRejected
from handoff.proof.verify.bundle import BundleRecord
from handoff.proof.verify.keyring import RETIREMENT_GRACE_MS, Keyring
from handoff.record import signing
from handoff.record.codes import KeyUse
from handoff.record.delivery import VerdictKind, from_ms, to_ms
from handoff.record.envelope import EXCHANGE, Event
from handoff.record.events import Body
from handoff.record.events import directory as d
from handoff.record.kafka_record import KafkaRecord, parse
from handoff.record.message import Message
from tests.support.dsl.builders import CASE, GENERATION, JURISDICTION, T0, after, event, key_of, signed
from tests.support.parts.proof_record import AGENCIES, COORDINATOR, ORIGIN, founding, opened, reading

BEGINNING = founding()
GENESIS = signing.sha256(BEGINNING[0].value or b"")
STRANGER = "health"
# Few enough to repeat often: the coordinator, the office, a member, and one that is not admitted yet.
POLICE = AGENCIES[0]
NAMES = (COORDINATOR, EXCHANGE, POLICE, STRANGER)
HOUR_MS = 3_600_000
# One key that is not registered yet, and one that libsodium rejects as a point.
SPARE = key_of("spare")
NO_POINT = bytes(32).hex()

names = st.sampled_from(NAMES)
keys = st.one_of(names.map(key_of), st.just(SPARE))


@dataclass(frozen=True)
class Placed:
    """A message and the record time in milliseconds."""

    message: Message
    at_ms: int


def registration(member: str, key: signing.SigningKey, holder: signing.SigningKey, use: KeyUse) -> d.KeyRegistered:
    proven = key_registration(JURISDICTION, member, holder)
    return proven.model_copy(update={"public_key": key.public_key.hex(), "use": use})


bodies = st.one_of(
    st.builds(lambda name: d.AgencyAdmitted(member=name), names),
    st.builds(registration, names, keys, keys, st.sampled_from(KeyUse)),
    st.builds(lambda name, key: key_registration(JURISDICTION, name, key), names, keys),
    st.builds(
        lambda name: key_registration(JURISDICTION, name, SPARE).model_copy(update={"public_key": NO_POINT}), names
    ),
    st.builds(lambda key: d.KeyRevoked(key=key.id), keys),
    st.builds(lambda key: d.KeyRetired(key=key.id), keys),
    st.just(d.CapabilitiesPublished(reads=())),
)
honest = st.builds(lambda body, emitter: signed(event(body, emitter=emitter)), bodies, names)
by_coordinator = bodies.map(lambda body: signed(event(body, emitter=COORDINATOR)))
of_itself = names.map(lambda name: signed(event(d.KeyRetired(key=key_of(name).id), emitter=name)))
spoken = st.builds(
    lambda body, emitter, key, generation: signed(event(body, emitter=emitter, generation=generation), key),
    bodies,
    names,
    st.one_of(st.none(), keys),
    st.sampled_from((GENERATION, GENERATION + 1)),
)
of_the_case = st.one_of(
    st.just(opened()),
    st.builds(reading, st.integers(0, 99), names),
    st.builds(lambda n: reading(n, STRANGER, key=SPARE), st.integers(0, 99)),
)
damaged = st.builds(
    lambda message: Message(message.key, (message.value or b"")[:-1], message.headers), st.one_of(spoken, of_the_case)
)
again = st.sampled_from(BEGINNING)
anything = st.one_of(
    honest, by_coordinator, by_coordinator, of_itself, of_the_case, of_the_case, spoken, again, damaged
)
messages = st.lists(st.tuples(anything, st.sampled_from((0, 0, 13, 25))), max_size=30)


def placed(drawn: Sequence[tuple[Message, int]]) -> list[Placed]:
    """The beginning, then what was drawn, each some hours after the one before."""
    at_ms, record = to_ms(T0), [Placed(message, to_ms(T0)) for message in BEGINNING]
    for message, hours in drawn:
        at_ms += hours * HOUR_MS
        record.append(Placed(message, at_ms))
    return record


def judged(record: Sequence[Placed]) -> tuple[list[bool], Directory]:
    """Return whether exchange and projection authenticate each message, and the directory at the end."""
    directory, case = Directory(JURISDICTION, GENERATION), Case(CASE)
    first: dict[object, str] = {}
    answers = []
    for line in record:
        entry = parse(KafkaRecord(0, line.at_ms, line.message))
        event = entry.event if isinstance(entry.event, Event) else None
        identity = entry.identity
        verdict, after = examine(
            Situation(directory, case if event and event.case_id else None),
            entry,
            first_hash=first.get(identity),
            at=from_ms(line.at_ms),
            genesis_hash=GENESIS,
        )
        outcome = verdict.kind
        if outcome in {VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE}:
            first[identity] = entry.value_hash
        answers.append(outcome is not VerdictKind.INVALID or verdict.reason == "equivocation")
        directory, case = after.directory, after.case or case
    return answers, directory


def checked(record: Sequence[Placed]) -> tuple[list[bool], Keyring]:
    """The same, as the verifier finds it."""
    authors = AuthorshipCheck(ORIGIN, GENESIS, Keyring(JURISDICTION))
    answers = []
    for offset, line in enumerate(record):
        message = line.message
        one = BundleRecord(offset=offset, key=message.key, headers=message.headers, value=message.value, proof=())
        try:
            authors.check(one, line.at_ms)
        except AuthorshipRejected:
            answers.append(False)
        else:
            answers.append(True)
    return answers, authors.keyring


@given(messages)
@settings(max_examples=250)
def test_the_verifier_disowns_exactly_what_is_judged_invalid(drawn: list[tuple[Message, int]]) -> None:
    record = placed(drawn)
    ours, keyring = checked(record)
    theirs, directory = judged(record)
    assert ours == theirs
    assert keyring.members == set(directory.members)
    assert {
        key_id: (key.owner, key.public_key.hex(), key.use, key.retired_ms, key.revoked)
        for key_id, key in keyring.keys.items()
    } == {
        key.id: (key.owner, key.public_key, key.use, to_ms(key.retired_at) if key.retired_at else None, key.revoked)
        for key in directory.keys.values()
    }


def by(emitter: str, body: Body) -> Message:
    return signed(event(body, emitter=emitter))


RETIRED = by(POLICE, d.KeyRetired(key=key_of(POLICE).id))
RETIRED_LATER = signed(event(d.KeyRetired(key=key_of(POLICE).id), emitter=POLICE, time=after(hours=13)))
ADMITTED = by(COORDINATOR, d.AgencyAdmitted(member=STRANGER))
REGISTERED = by(COORDINATOR, key_registration(JURISDICTION, STRANGER, SPARE))
SEALING = registration(STRANGER, SPARE, SPARE, KeyUse.SEALING)


@pytest.mark.parametrize(
    ("drawn", "counts"),
    [
        pytest.param([(RETIRED, 0), (reading(1), 24)], True, id="within the grace"),
        pytest.param([(RETIRED, 0), (reading(1), 25)], False, id="after the grace"),
        pytest.param(
            [(RETIRED, 0), (RETIRED_LATER, 13), (reading(1), 13)],
            False,
            id="a retired key retires itself again",
        ),
        pytest.param([(by("csw", d.KeyRetired(key=key_of(POLICE).id)), 0), (reading(1), 25)], True, id="by another"),
        pytest.param([(by("csw", d.KeyRevoked(key=key_of(POLICE).id)), 0), (reading(1), 0)], True, id="not the office"),
        pytest.param(
            [(ADMITTED, 0), (by(COORDINATOR, SEALING), 0), (reading(1, STRANGER, key=SPARE), 0)],
            False,
            id="a key for sealing",
        ),
        pytest.param(
            [(ADMITTED, 0), (REGISTERED, 0), (reading(1, STRANGER, key=SPARE), 0)],
            True,
            id="a key for signing",
        ),
    ],
)
def test_the_last_event_counts_or_not(drawn: list[tuple[Message, int]], counts: bool) -> None:  # noqa: FBT001 - a case
    """Rarely drawn cases are decided alike."""
    record = placed(drawn)
    assert checked(record)[0] == judged(record)[0]
    assert checked(record)[0][-1] is counts


def test_a_retired_key_has_the_same_grace_everywhere() -> None:
    assert RETIREMENT_GRACE.total_seconds() * 1000 == RETIREMENT_GRACE_MS
