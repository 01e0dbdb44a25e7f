"""Which of a case's entries are shown: of one institution, of one type, or only what changed nothing."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from handoff.record.delivery import VerdictKind
from handoff.views.replay.history import ReplayedEntry


@dataclass(frozen=True, slots=True)
class Selection:
    """The filters of a page; what is empty does not matter."""

    agency: str = ""
    type: str = ""
    ineffective: bool = False

    def __contains__(self, told: ReplayedEntry) -> bool:
        """Whether an entry is shown."""
        event = told.decoded.event
        if self.ineffective and told.verdict.kind is VerdictKind.EFFECTIVE:
            return False
        if self.type and (event is None or event.type != self.type):
            return False
        return not self.agency or self.agency == told.emitter or self.agency in told.recipients


async def selection(
    agency: Annotated[str, Query(max_length=40)] = "",
    type: Annotated[str, Query(max_length=60)] = "",  # noqa: A002 - the parameter's name
    ineffective: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
) -> Selection:
    """The filters that a request asks for."""
    return Selection(agency, type, ineffective)
