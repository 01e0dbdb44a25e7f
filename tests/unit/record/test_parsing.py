"""Bytes become an event in one way only, or are refused by code."""

import json
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.contract.examples import examples
from handoff.package_data import schemas_path
from handoff.record import strict_json
from handoff.record.codec import decode, encode
from handoff.record.codes import RefusalCode
from handoff.record.envelope import schema_uri
from handoff.record.errors import NotAnEvent, UnknownEventType
from handoff.record.events import CATALOGUE, Audience, Body, Emitter, referral
from handoff.record.events.deadline import DeadlineEscalated
from handoff.record.upcasting import UPCASTERS, DeadlineEscalatedV1, Upcaster, upcast
from tests.support.dsl.builders import REFERRAL, event

EXAMPLES = examples()
OPENED = encode(event(referral.ReferralOpened(referral=REFERRAL, seen=2)))


def altered(**changes: Any) -> bytes:
    """A valid event with some attributes replaced."""
    return json.dumps(json.loads(OPENED) | changes).encode()


def with_data(**changes: Any) -> bytes:
    """A valid event with some fields of its data replaced."""
    return altered(data=json.loads(OPENED)["data"] | changes)


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def refusal(raw: bytes) -> NotAnEvent:
    with pytest.raises(NotAnEvent) as refused:
        decode(raw)
    return refused.value


MALFORMED = {
    "nothing": b"",
    "no JSON": b"referral",
    "a second document": OPENED + b"{}",
    "half a document": OPENED[:-1],
    "a byte order mark": b"\xef\xbb\xbf" + OPENED,
    "UTF-16": OPENED.decode().encode("utf-16"),
    "invalid UTF-8": OPENED.replace(b"opened", b"op\xffned"),
    "a surrogate in UTF-8": OPENED.replace(b"opened", b"op\xed\xa0\x80ned"),
    "half a surrogate pair": OPENED.replace(b"opened", rb"op\ud800ned"),
    "half a surrogate pair as a name": OPENED.replace(b'"seen"', rb'"\udfff"'),
    "equal keys": OPENED.replace(b'"specversion"', b'"id":"x","specversion"'),
    "equal keys within": OPENED.replace(b'"seen"', b'"seen":1,"seen"'),
    "equal keys, one escaped": OPENED.replace(b'"seen"', rb'"seen":1,"\u0073een"'),
    "NaN": OPENED.replace(b'"seen":2', b'"seen":NaN'),
    "Infinity": OPENED.replace(b'"seen":2', b'"seen":-Infinity'),
    "a number of 5000 digits": OPENED.replace(b'"seen":2', b'"seen":' + b"9" * 5000),
    "a list": b"[" + OPENED + b"]",
    "a string": b'"referral"',
    "null": b"null",
    "depth 9": nested(9),
    "depth 9 in a list": b'{"a":' + b"[" * 8 + b"]" * 8 + b"}",
    "depth 8000": b"[" * 8000,
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_ambiguous_or_unparseable_json_is_malformed(raw: bytes) -> None:
    assert refusal(raw).code is RefusalCode.MALFORMED


def test_depth_eight_and_sixteen_kibibytes_are_allowed() -> None:
    assert strict_json.parse(nested(8)) == json.loads(nested(8))
    padded = OPENED + b" " * (strict_json.MAX_EVENT_BYTES - len(OPENED))
    assert decode(padded) == decode(OPENED)


def test_one_byte_over_sixteen_kibibytes_is_oversize() -> None:
    raw = OPENED + b" " * (strict_json.MAX_EVENT_BYTES - len(OPENED) + 1)
    assert refusal(raw).code is RefusalCode.OVERSIZE


WRONG_SHAPE = {
    "an unknown attribute": (altered(traceparent="00-1"), "traceparent"),
    "an unknown field": (with_data(income=400), "data.income"),
    "a missing field": (altered(data={"seen": 2}), "data.referral"),
    "no specversion": (json.dumps({k: v for k, v in json.loads(OPENED).items() if k != "specversion"}).encode(), ""),
    "another specversion": (altered(specversion="0.3"), "specversion"),
    "no type": (altered(type=None), "type"),
    "a type that is a list": (altered(type=["referral.opened.v1"]), "type"),
    "a type that is a sentence": (altered(type="she said that he"), "type"),
    "a number as text": (with_data(seen="2"), "data.seen"),
    "a number out of bounds": (with_data(seen=-1), "data.seen"),
    "a fraction": (with_data(seen=2.5), "data.seen"),
    "true for one": (with_data(seen=True), "data.seen"),
    "an id that is none": (with_data(referral="A. K."), "data.referral"),
    "a time without a zone": (altered(time="2026-01-05T22:40:00"), "time"),
    "a time as a number": (altered(time=1767652800), "time"),
    "a time as a number in text": (altered(time="1767652800"), "time"),
    "a time with a tail of digits": (altered(time="2026-01-05T22:40:00.123456789Z"), "time"),
    "a time that does not exist": (altered(time="2026-02-30T22:40:00Z"), "time"),
    "a time at the end of the calendar": (altered(time="9999-12-31T23:59:59-12:00"), "time"),
    "another type's schema": (altered(dataschema=schema_uri("case.opened.v1")), "dataschema"),
    "a source with a path": (altered(source="/prizren/1/police/desk"), "source"),
    "a jurisdiction as the subject of a case's event": (altered(subject="prizren"), "subject"),
    "a case id in capitals": (altered(subject="11111111-1111-4111-8111-AAAAAAAAAAAA"), "subject"),
    "data that is a list": (altered(data=[1]), "data"),
}


@pytest.mark.parametrize(("raw", "field"), WRONG_SHAPE.values(), ids=WRONG_SHAPE)
def test_a_value_that_violates_the_model_is_refused_with_its_field(raw: bytes, field: str) -> None:
    refused = refusal(raw)
    assert refused.code is RefusalCode.SCHEMA
    assert not isinstance(refused, UnknownEventType)
    assert refused.field.startswith(field or "specversion")


def test_an_unknown_code_is_refused_by_the_field_that_holds_it() -> None:
    raw = encode(EXAMPLES["referral.rejected.v1"]).replace(b"no_capacity.units_full", b"poor")
    assert refusal(raw).field == "data.code"


def test_a_rule_across_fields_is_refused_at_the_data() -> None:
    raw = encode(EXAMPLES["basis.recorded.v1"]).replace(b'"purpose"', b'"recipient":"shelter","purpose"')
    assert refusal(raw).field == "data"


def test_a_newer_type_is_distinguished_so_that_it_can_be_parked() -> None:
    with pytest.raises(UnknownEventType) as refused:
        decode(altered(type="referral.opened.v2"))
    assert refused.value.event_type == "referral.opened.v2"


def test_a_refusal_does_not_contain_the_refused_value() -> None:
    """Values may be personal data; only the field's path is reported, and to the caller alone."""
    assert "Arta" not in str(refusal(with_data(referral="Arta")))


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_encoding_what_was_decoded_gives_the_same_bytes(example: Any) -> None:
    raw = encode(example)
    assert decode(raw) == example
    assert encode(decode(raw)) == raw


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def decodes_or_refuses(raw: bytes) -> None:
    with suppress(NotAnEvent):
        encode(decode(raw))


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_not_an_event(raw: bytes) -> None:
    decodes_or_refuses(raw)


@given(json_values)
def test_no_json_raises_anything_but_not_an_event(value: Any) -> None:
    decodes_or_refuses(json.dumps(value).encode())


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_no_damaged_event_raises_anything_but_not_an_event(event_type: str, draw: st.DataObject) -> None:
    """One attribute or field of a valid event is replaced by any JSON at all."""
    document = json.loads(encode(EXAMPLES[event_type]))
    place = draw.draw(st.sampled_from([document, document["data"]]))
    if place:
        place[draw.draw(st.sampled_from(sorted(place)))] = draw.draw(json_values)
    decodes_or_refuses(json.dumps(document).encode())


@given(st.sampled_from(sorted(EXAMPLES)), st.integers(min_value=0), st.binary(min_size=1, max_size=3))
def test_no_flipped_bytes_raise_anything_but_not_an_event(event_type: str, position: int, noise: bytes) -> None:
    raw = bytearray(encode(EXAMPLES[event_type]))
    start = position % len(raw)
    raw[start : start + len(noise)] = noise
    decodes_or_refuses(bytes(raw))


class VisitPlanned(Body):
    """A type of these tests alone, in its second version: the first counted days, this one counts hours."""

    type: ClassVar = "visit.planned.v2"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    referral: UUID
    hours: int


class VisitPlannedV1(Body):
    """The first version, which counted days."""

    type: ClassVar = "visit.planned.v1"
    emitter: ClassVar = Emitter.SOURCE
    audience: ClassVar = Audience.TARGET

    referral: UUID
    days: int


class VisitPlannedV3(VisitPlanned):
    """A third version with the same fields."""

    type: ClassVar = "visit.planned.v3"


IN_HOURS = Upcaster(VisitPlannedV1, lambda old: VisitPlanned(referral=old.referral, hours=old.days * 24))
AS_THIRD = Upcaster(VisitPlanned, lambda old: VisitPlannedV3(**dict(old)))
PLANNED_V1 = altered(
    type="visit.planned.v1", dataschema=schema_uri("visit.planned.v1"), data={"referral": str(REFERRAL), "days": 3}
)


def test_an_old_version_is_read_as_todays() -> None:
    read = decode(PLANNED_V1, catalogue={VisitPlanned.type: VisitPlanned}, upcasters={"visit.planned.v1": IN_HOURS})
    assert read.data == VisitPlanned(referral=REFERRAL, hours=72)
    assert (read.type, read.dataschema) == (VisitPlanned.type, schema_uri(VisitPlanned.type))


def test_upcasting_goes_through_every_version_and_leaves_the_event_as_it_was() -> None:
    chain = {VisitPlannedV1.type: IN_HOURS, VisitPlanned.type: AS_THIRD}
    first = EXAMPLES["case.opened.v1"].model_copy(
        update={"type": VisitPlannedV1.type, "data": VisitPlannedV1(referral=REFERRAL, days=3)}
    )
    newest = upcast(first, chain)
    assert newest.data == VisitPlannedV3(referral=REFERRAL, hours=72)
    assert (newest.id, newest.source, newest.subject, newest.time) == (
        first.id,
        first.source,
        first.subject,
        first.time,
    )
    assert first.data == VisitPlannedV1(referral=REFERRAL, days=3)


def test_an_old_version_is_refused_for_the_reasons_that_held_when_it_was_recorded() -> None:
    """A field of the newer version, or another type's schema, does not become valid by upcasting."""
    data = {"referral": str(REFERRAL), "days": 3, "hours": 72}
    widened = altered(type=VisitPlannedV1.type, dataschema=schema_uri(VisitPlannedV1.type), data=data)
    mislabelled = altered(
        type=VisitPlannedV1.type, dataschema=schema_uri(VisitPlanned.type), data={"referral": str(REFERRAL), "days": 3}
    )
    for raw in (widened, mislabelled):
        with pytest.raises(NotAnEvent):
            decode(raw, catalogue={VisitPlanned.type: VisitPlanned}, upcasters={VisitPlannedV1.type: IN_HOURS})


@pytest.mark.parametrize("superseded", UPCASTERS)
def test_a_superseded_version_leads_to_one_of_the_catalogue_and_is_not_written(superseded: str) -> None:
    raw = schemas_path("examples", f"{superseded}.json").read_bytes()
    read = decode(raw)
    assert superseded not in CATALOGUE
    assert type(read.data) is CATALOGUE[read.type]
    assert read.type.rpartition(".v")[0] == superseded.rpartition(".v")[0]


def test_the_age_of_a_recorded_escalation_is_read_as_seconds() -> None:
    """The first version of the escalation carried the same number under the name ``age``."""
    raw = schemas_path("examples", f"{DeadlineEscalatedV1.type}.json").read_bytes()
    recorded = json.loads(raw)["data"]
    body = decode(raw).data
    assert isinstance(body, DeadlineEscalated)
    assert body.age_seconds == recorded.pop("age")
    assert body.model_dump(mode="json", exclude={"age_seconds"}, exclude_none=True) == recorded


def test_without_its_upcaster_an_old_version_is_an_unknown_type() -> None:
    with pytest.raises(UnknownEventType):
        decode(PLANNED_V1)
