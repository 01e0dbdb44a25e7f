"""A case as one request shows it: at a time, with filters, in a language."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request

from handoff.audit.access.case_access import AuditContext, audit_context, authenticated_reader, open_case
from handoff.audit.pages.entry_filter import EntryFilter, requested_filter
from handoff.audit.pages.paging import ListPage, list_page, page_of
from handoff.audit.pages.time_slider import Reader, SliderPosition, record_times, slider_position
from handoff.record.uuid_text import Id
from handoff.views.replay.history import History, ReplayedEntry
from handoff.web.pages.rendering import translation_of
from handoff.web.pages.translation import Translation


@dataclass(frozen=True)
class ReplayView:
    """The whole history of a case, with the position of the slider and the filters."""

    request: Request
    tr: Translation
    history: History
    reader: Reader
    position: SliderPosition
    filter: EntryFilter
    page: int | None = None
    """Number of the requested page of a long list."""

    @cached_property
    def history_then(self) -> History:
        """The history up to the position of the slider."""
        return self.history.until(self.position.at)

    @property
    def times(self) -> tuple[datetime, ...]:
        """The steps of the slider up to its position."""
        return record_times(self.history_then, self.reader)

    @cached_property
    def entries(self) -> tuple[ReplayedEntry, ...]:
        """The entries up to the position of the slider that the filter shows."""
        return tuple(entry for entry in self.history_then.own if entry in self.filter)

    @cached_property
    def entries_page(self) -> ListPage[ReplayedEntry]:
        """The requested page of those entries."""
        return list_page(self.entries, self.page)

    @cached_property
    def _positions(self) -> tuple[int, ...]:
        return tuple(entry.position for entry in self.entries)

    def entry_href(self, path: str, position: int) -> str:
        """Return the address of the page of the list at ``path`` with the entry at ``position``."""
        return self.href(path, page=page_of(self._positions, position))

    def href(self, path: str, **changed: object) -> str:
        """Return the address of a page of this case, at the same time and with the same filters."""
        step = None if self.position.is_now else self.position.step
        ineffective = "true" if self.filter.ineffective else None
        parameters = {
            "step": step,
            "agency": self.filter.agency,
            "type": self.filter.type,
            "ineffective": ineffective,
            **changed,
        }
        query = urlencode({name: value for name, value in parameters.items() if value})
        return f"/timelines/{self.history.case_id}{path}" + (f"?{query}" if query else "")


@dataclass(frozen=True)
class CaseRequest:
    """A request for a page of a case."""

    request: Request
    context: AuditContext
    case: UUID
    filter: EntryFilter
    step: int | None
    as_of: str | None
    page: int | None

    async def open(self, *, is_export: bool = False) -> Reader:
        """Return the reader, once the read is recorded."""
        reader = await authenticated_reader(self.context, self.request)
        await open_case(self.context, reader, self.case, None, is_export=is_export)
        return Reader(reader.id, self.context.member)

    async def view(self, *, is_export: bool = False) -> ReplayView:
        """Return the case, once the read is recorded."""
        reader = await self.open(is_export=is_export)
        history = await self.context.cases.history(self.case)
        position = slider_position(history, reader, self.context.clock(), self.step, self.as_of)
        return ReplayView(self.request, translation_of(self.request), history, reader, position, self.filter, self.page)


async def _case_request(
    request: Request,
    case: Id,
    chosen: Annotated[EntryFilter, Depends(requested_filter)],
    *,
    step: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    as_of: Annotated[str | None, Query(max_length=40)] = None,
    page: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> CaseRequest:
    return CaseRequest(request, audit_context(request), case, chosen, step, as_of, page)


InCase = Annotated[CaseRequest, Depends(_case_request)]
