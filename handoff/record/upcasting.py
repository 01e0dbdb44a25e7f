"""Superseded versions of event types, and the functions that turn them into the current version.

A superseded version is read with its own model, so that a document that was refused when it was recorded is refused
today as well. Only then is its body converted. The bytes on the record stay as they were signed: code that needs the
signed form (proofs, bundles, receipts) uses the bytes, never a re-encoded event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field

from handoff.record.codes import CaseService, DeadlineStep
from handoff.record.envelope import Event, Source, compose
from handoff.record.events.base import Audience, Body, Emitter, MemberId, StatusBody
from handoff.record.events.deadline import DeadlineEscalated
from handoff.record.uuid_text import Id


@dataclass(frozen=True, slots=True)
class Upcaster:
    """A superseded version: the model that reads it, and a pure function from its body to the next version's."""

    model: type[Body]
    convert: Callable[[Any], Body]


class DeadlineEscalatedV1(StatusBody):
    """Escalation of a late step to the coordinator. Superseded: only the description gave the unit of ``age``."""

    type: ClassVar = "deadline.escalated.v1"
    emitter: ClassVar = Emitter.EXCHANGE
    audience: ClassVar = Audience.COORDINATION

    reference: Id
    member: MemberId
    service: CaseService | None = None
    step: DeadlineStep
    age: int = Field(ge=0, le=10_000_000_000, description="Seconds since the step began")


def _deadline_escalated_v2(old: DeadlineEscalatedV1) -> DeadlineEscalated:
    return DeadlineEscalated(
        reference=old.reference, member=old.member, service=old.service, step=old.step, age_seconds=old.age
    )


UPCASTERS: Mapping[str, Upcaster] = MappingProxyType(
    {DeadlineEscalatedV1.type: Upcaster(DeadlineEscalatedV1, _deadline_escalated_v2)}
)
"""Superseded event type → its upcaster."""


def upcast(event: Event[Any], upcasters: Mapping[str, Upcaster] = UPCASTERS) -> Event[Any]:
    """Return ``event`` in the newest version of its type; the event itself if its version is current."""
    while (upcaster := upcasters.get(event.type)) is not None:
        event = compose(
            id=event.id,
            source=Source.parse(event.source),
            subject=event.subject,
            time=event.time,
            body=upcaster.convert(event.data),
        )
    return event
