"""Foundation of a jurisdiction: the founding event, then the admission and first key of each member. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from handoff.domain.rules import current_version
from handoff.record import formats
from handoff.record.codes import MemberKind
from handoff.record.envelope import Event, Source, compose
from handoff.record.events.base import Body
from handoff.record.events.directory import (
    DEFAULT_ENDING_AGE_SECONDS,
    Admission,
    AgencyAdmitted,
    Calendars,
    CalendarsPublished,
    Deadline,
    JurisdictionFounded,
    KeyRegistered,
)
from handoff.record.signing import SigningKey, possession_statement

_FOUNDING = UUID("3d2c1b7a-4d0e-5e0c-8f55-3f3f0f9d2c10")


@dataclass(frozen=True, slots=True)
class Charter:
    """Terms of the foundation: name and generation of the record, coordinator, first deadlines and calendars."""

    jurisdiction: str
    generation: int
    coordinator: str
    deadlines: tuple[Deadline, ...]
    ending_age_seconds: int = DEFAULT_ENDING_AGE_SECONDS
    calendars: Calendars | None = None

    @property
    def source(self) -> Source:
        """Source of the coordinator's events."""
        return Source(self.jurisdiction, self.generation, self.coordinator)


def founding_event(
    charter: Charter, coordinator_key: SigningKey, exchange_key: SigningKey, time: datetime
) -> Event[Any]:
    """Return the event at offset 0. The SHA-256 of its bytes is the trust anchor of each configuration."""
    body = JurisdictionFounded(
        coordinator=charter.coordinator,
        coordinator_key=coordinator_key.public_key.hex(),
        exchange_key=exchange_key.public_key.hex(),
        deadlines=charter.deadlines,
        ending_age_seconds=charter.ending_age_seconds,
        rules=current_version(),
    )
    return _event(charter, body, time)


def admission_events(
    charter: Charter, members: Iterable[tuple[Admission, SigningKey]], time: datetime
) -> Iterator[Event[Any]]:
    """Yield the events that admit ``members``, in the order of the directory, each with its first key.

    Ids derive from the content, so that a repeated admission has no effect.
    """
    for admission, key in members:
        if admission.kind is not MemberKind.COORDINATION:
            yield _event(charter, AgencyAdmitted(**admission.model_dump()), time)
            yield _event(charter, key_registration(charter.jurisdiction, admission.member, key), time)


def calendar_events(charter: Charter, time: datetime) -> Iterator[Event[Any]]:
    """Yield the first publication of the calendars, if the charter has any. It follows the admissions."""
    if charter.calendars is not None:
        yield _event(charter, CalendarsPublished(**charter.calendars.model_dump()), time)


def key_registration(jurisdiction: str, member: str, key: SigningKey) -> KeyRegistered:
    """Return the registration of ``key``, with the proof that the member holds it."""
    statement = possession_statement(jurisdiction, member, key.public_key)
    return KeyRegistered(
        member=member, public_key=key.public_key.hex(), possession=key.sign(statement, formats.KEY_POSSESSION).hex()
    )


def _event(charter: Charter, body: Body, time: datetime) -> Event[Any]:
    name = f"{charter.jurisdiction}/{charter.generation}/{body.type}/{body.model_dump_json()}"
    return compose(id=uuid5(_FOUNDING, name), source=charter.source, subject=charter.jurisdiction, time=time, body=body)
