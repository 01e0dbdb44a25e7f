"""Events, keys and ids for tests: everything follows from the arguments, so a failure can be replayed."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from handoff.domain.own_keys import OwnKeys
from handoff.record import signing
from handoff.record.codec import AnyEvent, encode
from handoff.record.envelope import Source, compose
from handoff.record.events import Body
from handoff.record.message import Message, sign

JURISDICTION = "prizren"
GENERATION = 1
CASE = UUID("11111111-1111-4111-8111-111111111111")
OTHER_CASE = UUID("22222222-2222-4222-8222-222222222222")
REFERRAL = UUID("33333333-3333-4333-8333-333333333333")
BASIS = UUID("44444444-4444-4444-8444-444444444444")
T0 = datetime(2026, 1, 5, 22, 40, tzinfo=UTC)


def nth_id(number: int) -> UUID:
    """The ``number``-th of a fixed sequence of version 4 ids."""
    return UUID(bytes=hashlib.sha256(b"id %d" % number).digest()[:16], version=4)


def ids(start: int = 0) -> Iterator[UUID]:
    """Fixed sequence of ids, for callers that take the next one."""
    while True:
        yield nth_id(start)
        start += 1


def after(**passed: float) -> datetime:
    """``T0`` and some time: ``after(hours=1)``."""
    return T0 + timedelta(**passed)


def own_keys_of(name: str) -> OwnKeys:
    """The keys with which a process signs, outside a rotation."""
    return OwnKeys(name, key_of(name))


def key_of(member: str) -> signing.SigningKey:
    """The member's signing key, the same in every test."""
    return signing.SigningKey(hashlib.sha256(f"key of {member}".encode()).digest())


def event(
    body: Body,
    *,
    emitter: str = "police",
    subject: UUID | str | None = None,
    id: UUID | None = None,  # noqa: A002 - CloudEvents' own name
    time: datetime = T0,
    jurisdiction: str = JURISDICTION,
    generation: int = GENERATION,
) -> AnyEvent:
    """``body`` in its envelope, about ``CASE`` or the jurisdiction; the same arguments give the same id."""
    if subject is None:
        subject = body.keying.subject(jurisdiction, CASE)
    content = f"{subject} {emitter} {body.type} {body.model_dump_json()} {time.isoformat()}"
    source = Source(jurisdiction, generation, emitter)
    return compose(id=id or uuid5(CASE, content), source=source, subject=subject, time=time, body=body)


def signed(spoken: AnyEvent, key: signing.SigningKey | None = None) -> Message:
    """``spoken`` as its emitter publishes it."""
    return sign(spoken.subject, encode(spoken), key or key_of(spoken.emitter))
