"""Events about the coordinator's board."""

from typing import ClassVar, Self

from pydantic import model_validator

from handoff.record.codes import BoardAccess
from handoff.record.events.base import Audience, Emitter, StatusBody, Terms
from handoff.record.uuid_text import Id


class BoardVisit(Terms):
    """Use of the board by a person. ``reference`` is the escalation that she acknowledges."""

    reader: Id
    access: BoardAccess
    reference: Id | None = None

    @model_validator(mode="after")
    def _acknowledgement_has_a_reference(self) -> Self:
        if (self.access is BoardAccess.ACKNOWLEDGEMENT) != (self.reference is not None):
            raise ValueError("give reference for an acknowledgement, and for nothing else")
        return self


class BoardRead(BoardVisit, StatusBody):
    """A person read the board, or acknowledged an escalation on it. ``reader`` is the opaque id of this person."""

    type: ClassVar = "board.read.v1"
    emitter: ClassVar = Emitter.COORDINATION
    audience: ClassVar = Audience.EMITTER_ONLY
