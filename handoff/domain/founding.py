"""How a jurisdiction begins: the founding event, then each member's admission and first key. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from handoff.record import formats
from handoff.record.codes import MemberKind
from handoff.record.envelope import Event, Source, compose
from handoff.record.events.base import Body
from handoff.record.events.directory import (
    Admission,
    AgencyAdmitted,
    Deadline,
    JurisdictionFounded,
    KeyRegistered,
)
from handoff.record.signing import SigningKey, possession_statement

_FOUNDING = UUID("3d2c1b7a-4d0e-5e0c-8f55-3f3f0f9d2c10")
FIRST_RULES_VERSION = 1


@dataclass(frozen=True, slots=True)
class Charter:
    """What the coordinator lays down: the record's name and generation, who coordinates, and the first deadlines."""

    jurisdiction: str
    generation: int
    coordinator: str
    deadlines: tuple[Deadline, ...]

    @property
    def source(self) -> Source:
        """The coordinator as an emitter."""
        return Source(self.jurisdiction, self.generation, self.coordinator)


def founding_event(
    charter: Charter, coordinator_key: SigningKey, exchange_key: SigningKey, time: datetime
) -> Event[Any]:
    """The event at offset 0; the SHA-256 of its bytes is every configuration's trust anchor."""
    body = JurisdictionFounded(
        coordinator=charter.coordinator,
        coordinator_key=coordinator_key.public_key.hex(),
        exchange_key=exchange_key.public_key.hex(),
        deadlines=charter.deadlines,
        rules=FIRST_RULES_VERSION,
    )
    return _say(charter, body, time)


def admission_events(
    charter: Charter, members: Iterable[tuple[Admission, SigningKey]], time: datetime
) -> Iterator[Event[Any]]:
    """What admits ``members``, in the directory's order, each with its first key.

    The ids follow from what is said, so that saying the same again changes nothing.
    """
    for admission, key in members:
        if admission.kind is not MemberKind.COORDINATION:
            yield _say(charter, AgencyAdmitted(**admission.model_dump()), time)
            yield _say(charter, key_registration(charter.jurisdiction, admission.member, key), time)


def key_registration(jurisdiction: str, member: str, key: SigningKey) -> KeyRegistered:
    """The registration of ``key``, with the proof that whoever registers it also holds it."""
    statement = possession_statement(jurisdiction, member, key.public_key)
    return KeyRegistered(
        member=member, public_key=key.public_key.hex(), possession=key.sign(statement, formats.KEY_POSSESSION).hex()
    )


def _say(charter: Charter, body: Body, time: datetime) -> Event[Any]:
    said = f"{charter.jurisdiction}/{charter.generation}/{body.type}/{body.model_dump_json()}"
    return compose(id=uuid5(_FOUNDING, said), source=charter.source, subject=charter.jurisdiction, time=time, body=body)
