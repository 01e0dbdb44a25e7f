"""A case as one request shows it: at a moment, with filters, in a language."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request

from handoff.audit.context import Audit, audit_of, open_case, visitor_of
from handoff.audit.i18n.translation import Words
from handoff.audit.pages.entry_filter import Selection, selection
from handoff.audit.pages.rendering import language
from handoff.audit.pages.time_slider import Moment, moment
from handoff.views.replay.history import History, ReplayedEntry


@dataclass(frozen=True)
class Replay:
    """The case's whole history, and what of it is asked for."""

    request: Request
    said: Words
    told: History
    moment: Moment
    chosen: Selection

    @cached_property
    def then(self) -> History:
        """The case as it stood."""
        return self.told.until(self.moment.at)

    @property
    def entries(self) -> tuple[ReplayedEntry, ...]:
        """What had been said by then, as far as it was chosen."""
        return tuple(told for told in self.then.own if told in self.chosen)

    def href(self, below: str, **changed: object) -> str:
        """The address of something below the same case, at the same moment, with the same filters."""
        chosen, stands = self.chosen, None if self.moment.is_now else self.moment.step
        ineffective = "true" if chosen.ineffective else None
        asked = {"step": stands, "agency": chosen.agency, "type": chosen.type, "ineffective": ineffective, **changed}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/timelines/{self.told.case_id}{below}" + (f"?{query}" if query else "")


@dataclass(frozen=True)
class Asked:
    """What of a case a request asks for."""

    request: Request
    audit: Audit
    case: UUID
    chosen: Selection
    step: int | None
    as_of: str | None

    async def open(self, *, leaves: bool = False) -> None:
        """Returns once the read is recorded."""
        visitor = await visitor_of(self.audit, self.request)
        await open_case(self.audit, visitor, self.case, None, leaves=leaves)

    async def replay(self, *, leaves: bool = False) -> Replay:
        """The case, once its read is recorded; ``leaves`` where it goes with the visitor."""
        await self.open(leaves=leaves)
        told = await self.audit.cases.history(self.case)
        stands = moment(told, self.audit.clock(), self.step, self.as_of)
        return Replay(self.request, language(self.request), told, stands, self.chosen)


async def asked(
    request: Request,
    case: UUID,
    chosen: Annotated[Selection, Depends(selection)],
    step: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    as_of: Annotated[str | None, Query(max_length=40)] = None,
) -> Asked:
    """The request, as parts."""
    return Asked(request, audit_of(request), case, chosen, step, as_of)


InCase = Annotated[Asked, Depends(asked)]
