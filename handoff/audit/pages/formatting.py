"""Formatting of the values of answers and events: codes translated, times in the local zone, ids shortened."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from handoff.record import codes
from handoff.views.replay.answer import Answer, AnswerPart, AnswerRow, EntrySummary
from handoff.web.pages.names import member_name
from handoff.web.pages.translation import Translation

_EVENT_TYPE = re.compile(r"[a-z-]+\.[a-z-]+\.v[0-9]+")
_HASH = re.compile(r"[0-9a-f]{64,}")
_OF_EVERY_ROW = frozenset({"agencies", "positions", "notable"})
# Fields of an event or row whose value is the id of a member.
_MEMBERS = frozenset({
    "agency", "source", "target", "waiting", "waited_for", "discloser", "recipient", "owes", "emitter", "recipients",
    "by", "opener", "member", "cosigners", "coordinator",
})  # fmt: skip
_VERSION = re.compile(r"\.v[0-9]+$")
_MOST_COLUMNS = 10
"""Columns that fit on a screen of 1280 pixels and on paper. An answer with more is shown as cards."""
REASONS: tuple[str, ...] = ("IneffectiveReason", "RefusalCode", "State")
"""Vocabularies that hold the reasons of verdicts, in the order in which they are searched."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A formatted value. ``full`` is the unshortened value, ``parts`` are the elements of a list or group."""

    text: str = ""
    kind: str = "word"
    full: str = ""
    parts: tuple["Cell", ...] = ()


NOTHING = Cell("\N{EN DASH}", "nothing")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of an answer, formatted. ``as_cards``: they do not fit on the width of a page as columns."""

    columns: tuple[str, ...]
    rows: tuple["TableRow", ...]
    as_cards: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row. ``positions`` are the entries that support it."""

    cells: tuple[Cell, ...]
    positions: tuple[int, ...]
    notable: bool


def table(tr: Translation, rows: tuple[AnswerRow, ...]) -> Table:
    """Format the rows of an answer, which all have the same model."""
    if not rows:
        return Table((), (), as_cards=False)
    fields = [name for name in type(rows[0]).model_fields if name not in _OF_EVERY_ROW]
    return Table(
        columns=tuple(tr.code("Field", name) for name in fields),
        rows=tuple(
            TableRow(tuple(cell(tr, name, getattr(row, name)) for name in fields), row.positions, row.notable)
            for row in rows
        ),
        as_cards=len(fields) > _MOST_COLUMNS or any(_is_nested(getattr(row, name)) for row in rows for name in fields),
    )


def facts(tr: Translation, answer: Answer[Any]) -> tuple[tuple[str, Cell], ...]:
    """Format the fields of an answer that are not rows."""
    own = [name for name in type(answer).model_fields if name not in {"moment", "rows"}]
    shown = ((name, getattr(answer, name)) for name in own)
    formatted = ((name, cell(tr, name, value)) for name, value in shown if not _is_nested(value))
    return tuple((tr.code("Field", name), found) for name, found in formatted if found is not NOTHING)


def details(tr: Translation, body: BaseModel, *, without: Collection[str] = ()) -> tuple[tuple[str, Cell], ...]:
    """Format the fields of an event, without its referral, which has a column of its own, and without `seen`."""
    return tuple(
        (tr.code("Field", name), found)
        for name in type(body).model_fields
        if name not in {"referral", "seen", *without} and (found := cell(tr, name, getattr(body, name))) is not NOTHING
    )


def cell(tr: Translation, name: str, value: object) -> Cell:
    """Format a value of the field ``name``."""
    if value is None or value in ((), ""):
        return NOTHING
    read = next((read for kind, read in _READERS if isinstance(value, kind)), None)
    return read(tr, name, value) if read is not None else Cell(str(value))


def flat(value: Cell) -> str:
    """Return a cell as one line of text."""
    if value.kind == "group":
        return ", ".join(f"{part.full}: {flat(part)}" for part in value.parts)
    return ", ".join(map(flat, value.parts)) if value.kind == "list" else value.text


def event_name(tr: Translation, event_type: str | None) -> str:
    """Return the name of an event type."""
    if event_type is None:
        return tr("an unreadable entry")
    return tr.code("Event", _VERSION.sub("", event_type))


def reason_text(tr: Translation, reason: str) -> str:
    """Return the reason of a verdict as text."""
    found = (tr.code(vocabulary, reason) for vocabulary in REASONS)
    return next((words for words in found if words != reason), reason)


def _named(tr: Translation, value: BaseModel) -> Iterator[Cell]:
    for name in type(value).model_fields:
        if (found := cell(tr, name, getattr(value, name))) is not NOTHING:
            label = tr.code("Field", name)
            yield Cell(flat(found), "word", label)


def _number(tr: Translation, name: str, value: float) -> Cell:
    if name.endswith("seconds") or name == "seconds_after":
        return Cell(tr.duration(abs(value)), "duration", f"{value:g} s")
    if name in {"withdrawal", "lost_to", "position", "end"}:
        return Cell(f"#{value}", "entry", str(value))
    return Cell(str(value), "number")


def _text(tr: Translation, name: str, value: str) -> Cell:
    if name in _MEMBERS:
        return Cell(member_name(tr, value), "member", value)
    if _EVENT_TYPE.fullmatch(value):
        return Cell(event_name(tr, value), "code", value)
    if _HASH.fullmatch(value):
        return Cell(f"{value[:12]}…", "id", value)
    words = reason_text(tr, value)
    return Cell(words if words != value else _any_code(tr, value), "code", value)


def _any_code(tr: Translation, code: str) -> str:
    """Translate a code whose field does not name its vocabulary: the first vocabulary that has it."""
    found = (tr.code(vocabulary, code) for vocabulary in _CODED)
    return next((words for words in found if words != code), code)


_CODED = tuple(name for name, kind in vars(codes).items() if isinstance(kind, type) and issubclass(kind, Enum))


def _line(tr: Translation, _name: str, line: EntrySummary) -> Cell:
    when = tr.time(line.at)
    text = f"{when} · {member_name(tr, line.emitter or '')} · {event_name(tr, line.type)}"
    if line.reason is not None:
        text = f"{text} ({reason_text(tr, line.reason)})"
    return Cell(text, "line", f"#{line.position}")


def _is_nested(value: object) -> bool:
    return isinstance(value, tuple) and any(isinstance(part, AnswerPart) for part in value)


_READERS: tuple[tuple[type | tuple[type, ...], Callable[[Translation, str, Any], Cell]], ...] = (
    (bool, lambda tr, _, value: Cell(tr("yes") if value else tr("no"), "yes" if value else "no")),
    (Enum, lambda tr, _, value: Cell(tr.code(type(value).__name__, str(value.value)), "code", str(value.value))),
    (datetime, lambda tr, _, value: Cell(tr.time(value), "time", value.isoformat())),
    (UUID, lambda _, __, value: Cell(str(value)[:8], "id", str(value))),
    ((int, float), _number),
    (str, _text),
    (tuple, lambda tr, name, value: Cell(kind="list", parts=tuple(cell(tr, name, part) for part in value))),
    (EntrySummary, _line),
    (BaseModel, lambda tr, _, value: Cell(kind="group", parts=tuple(_named(tr, value)))),
)
