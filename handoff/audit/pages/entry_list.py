"""List of a case's entries by day. Consecutive reads form one group, which the page shows folded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from handoff.audit.pages.formatting import Cell, cell, details, event_name, reason_text
from handoff.audit.pages.replay_view import ReplayView
from handoff.record.delivery import VerdictKind
from handoff.record.events.case import BasisRecorded, CaseRead
from handoff.views.replay.history import ReplayedEntry
from handoff.web.pages.names import member_name
from handoff.web.pages.translation import Translation


@dataclass(frozen=True, slots=True)
class ListItem:
    """One entry of the list.

    ``reason`` explains an entry without effect. ``claimed`` is the claimed time, where it differs by a minute or more.
    """

    position: int
    iso: str
    clock: str
    who: str
    what: str
    referral: str
    service: str
    details: tuple[tuple[str, Cell], ...]
    outcome: str
    reason: str
    claimed: str
    anchored: bool


@dataclass(frozen=True, slots=True)
class ListGroup:
    """Consecutive entries: several if all are reads, else one."""

    items: tuple[ListItem, ...]
    are_reads: bool

    @property
    def readers(self) -> str:
        """The names of the institutions that read, without repetition."""
        return ", ".join(dict.fromkeys(item.who for item in self.items))


@dataclass(frozen=True, slots=True)
class ListDay:
    """The entries of one day in the time zone of the pages."""

    day: str
    groups: tuple[ListGroup, ...]


def entries_by_day(view: ReplayView) -> tuple[ListDay, ...]:
    """Return the entries on the page of a view day by day, in the record's order."""

    def day_of(entry: ReplayedEntry) -> date:
        return entry.at.astimezone(view.tr.time_zone).date()

    return tuple(
        ListDay(day.isoformat(), tuple(_groups(view, entries)))
        for day, entries in groupby(view.entries_page.items, key=day_of)
    )


def _groups(view: ReplayView, entries: Iterable[ReplayedEntry]) -> Iterator[ListGroup]:
    for are_reads, run in groupby(entries, key=lambda entry: entry.is_a(CaseRead)):
        items = tuple(_item(view, entry) for entry in run)
        if are_reads:
            yield ListGroup(items, are_reads=True)
        else:
            yield from (ListGroup((item,), are_reads=False) for item in items)


def _item(view: ReplayView, entry: ReplayedEntry) -> ListItem:
    tr, event = view.tr, entry.decoded.event
    is_late = event is not None and abs((entry.at - event.time).total_seconds()) >= 60
    return ListItem(
        position=entry.position,
        iso=entry.at.isoformat(),
        clock=tr.time(entry.at).partition(" ")[2],
        who=member_name(tr, entry.emitter) if entry.emitter is not None else "",
        what=event_name(tr, entry.event_type),
        referral=str(entry.referral_id or ""),
        service=tr.code("CaseService", entry.referral.service.value) if entry.referral is not None else "",
        details=_details(view, entry),
        outcome=entry.verdict.kind.value,
        reason=verdict_text(tr, entry),
        claimed=cell(tr, "claimed_at", event.time).text if event is not None and is_late else "",
        anchored=view.history.is_anchored(entry.position),
    )


def _details(view: ReplayView, entry: ReplayedEntry) -> tuple[tuple[str, Cell], ...]:
    """Format the fields of an entry, without those that the list shows elsewhere.

    The service is shown with the referral; the terms of a basis are in the row of the entry that recorded it.
    """
    if entry.decoded.event is None:
        return ()
    elsewhere = {"service"} if entry.referral is not None else set()
    if not entry.is_a(BasisRecorded):
        elsewhere.add("basis")
    return (*details(view.tr, entry.body, without=elsewhere), *_basis(view, entry))


def _basis(view: ReplayView, entry: ReplayedEntry) -> Iterator[tuple[str, Cell]]:
    """Yield the basis that an entry names, as the entry that recorded it; its id if no entry did."""
    named = getattr(entry.body, "basis", None)
    basis = getattr(named, "basis", named)
    if basis is None or entry.is_a(BasisRecorded):
        return
    recorded = view.history.recorded_basis(basis)
    found = cell(view.tr, "basis", basis)
    yield (
        view.tr.code("Field", "basis"),
        Cell(f"#{recorded.position}", "entry_link", str(recorded.position)) if recorded is not None else found,
    )


def verdict_text(tr: Translation, entry: ReplayedEntry) -> str:
    """Return why an entry had no effect; an empty string if it had."""
    if entry.verdict.kind is VerdictKind.EFFECTIVE:
        return ""
    outcome = tr.code("VerdictKind", entry.verdict.kind.value)
    return f"{outcome}: {reason_text(tr, entry.verdict.reason)}" if entry.verdict.reason is not None else outcome
