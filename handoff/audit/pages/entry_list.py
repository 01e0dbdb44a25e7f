"""The compact list: a case's entries by day, reads in a row folded into one, and why something changed nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from handoff.audit.i18n.translation import Words
from handoff.audit.pages.entry_filter import Selection
from handoff.audit.pages.formatting import Cell, cell, details, member_words, reason_words, type_words
from handoff.audit.pages.rendering import ZONE, clock_words
from handoff.record.delivery import VerdictKind
from handoff.record.events.case import CaseRead
from handoff.views.replay.history import History, ReplayedEntry


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list. ``why`` says why it changed nothing; ``claimed`` is set where it differs by a minute."""

    position: int
    time: str
    iso: str
    clock: str
    who: str
    what: str
    referral: str
    service: str
    details: tuple[tuple[str, Cell], ...]
    outcome: str
    why: str
    claimed: str
    sealed: bool


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines in a row: several only where all are reads, which are shown folded."""

    items: tuple[Item, ...]
    are_reads: bool

    @property
    def readers(self) -> str:
        """Who read, each institution once."""
        return ", ".join(dict.fromkeys(item.who for item in self.items))


@dataclass(frozen=True, slots=True)
class Day:
    """The lines of one day by the jurisdiction's calendar."""

    day: str
    lines: tuple[Lines, ...]


def days(said: Words, told: History, chosen: Selection) -> tuple[Day, ...]:
    """The case's entries that were chosen, in the record's order, day by day."""
    size = told.checkpoint.size if told.checkpoint is not None else 0
    shown = (entry for entry in told.own if entry in chosen)
    return tuple(Day(day.isoformat(), tuple(_lines(said, entries, size))) for day, entries in groupby(shown, key=_day))


def _day(told: ReplayedEntry) -> date:
    return told.at.astimezone(ZONE).date()


def _lines(said: Words, entries: Iterable[ReplayedEntry], size: int) -> Iterator[Lines]:
    for are_reads, run in groupby(entries, key=lambda told: told.says(CaseRead)):
        items = tuple(item(said, told, size) for told in run)
        if are_reads:
            yield Lines(items, are_reads=True)
        else:
            yield from (Lines((one,), are_reads=False) for one in items)


def item(said: Words, told: ReplayedEntry, size: int) -> Item:
    """An entry as a line; what lies below ``size`` is sealed."""
    event, time = told.decoded.event, clock_words(told.at)
    return Item(
        position=told.position,
        time=time,
        iso=told.at.isoformat(),
        clock=time.partition(" ")[2],
        who=member_words(said, told.emitter) if told.emitter is not None else "",
        what=type_words(said, event.type if event is not None else None),
        referral=str(told.referral_id or ""),
        service=said.code("CaseService", told.referral.service.value) if told.referral is not None else "",
        details=details(said, event.data) if event is not None else (),
        outcome=told.verdict.kind.value,
        why=why(said, told),
        claimed=_claimed(said, told),
        sealed=told.position < size,
    )


def why(said: Words, told: ReplayedEntry) -> str:
    """Why an entry changed nothing; empty where it did."""
    if told.verdict.kind is VerdictKind.EFFECTIVE:
        return ""
    outcome = said.code("VerdictKind", told.verdict.kind.value)
    return f"{outcome}: {reason_words(said, told.verdict.reason)}" if told.verdict.reason is not None else outcome


def _claimed(said: Words, told: ReplayedEntry) -> str:
    event = told.decoded.event
    if event is None or abs((told.at - event.time).total_seconds()) < 60:
        return ""
    return cell(said, "claimed_at", event.time).text
