"""Filter of a case's entries: by institution, by event type, or ineffective entries only."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from handoff.record.delivery import VerdictKind
from handoff.views.replay.history import ReplayedEntry


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """The filters of a page. An empty value does not restrict."""

    agency: str = ""
    type: str = ""
    ineffective: bool = False

    @property
    def is_active(self) -> bool:
        """Return whether any filter restricts."""
        return bool(self.agency or self.type or self.ineffective)

    def __contains__(self, entry: ReplayedEntry) -> bool:
        """Return whether an entry is shown."""
        event = entry.decoded.event
        if self.ineffective and entry.verdict.kind is VerdictKind.EFFECTIVE:
            return False
        if self.type and (event is None or event.type != self.type):
            return False
        return not self.agency or self.agency == entry.emitter or self.agency in entry.recipients


async def requested_filter(
    agency: Annotated[str, Query(max_length=40)] = "",
    type: Annotated[str, Query(max_length=60)] = "",  # noqa: A002 - the parameter's name
    ineffective: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
) -> EntryFilter:
    """Return the filters of a request."""
    return EntryFilter(agency, type, ineffective)
