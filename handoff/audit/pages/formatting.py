"""Values of answers and events as people read them: codes in words, times on the wall clock, ids cut short."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from handoff.audit.i18n.translation import Words
from handoff.audit.pages.rendering import clock_words, duration_words
from handoff.record import codes
from handoff.views.replay.answer import Answer, AnswerPart, AnswerRow, EntrySummary

_EVENT_TYPE = re.compile(r"[a-z-]+\.[a-z-]+\.v[0-9]+")
_HASH = re.compile(r"[0-9a-f]{64,}")
_OF_EVERY_ROW = frozenset({"agencies", "positions", "notable"})
# Fields of an event or row that name a member of the jurisdiction.
_MEMBERS = frozenset({
    "agency", "source", "target", "waiting", "waited_for", "discloser", "recipient", "owes", "emitter", "recipients",
    "by", "opener", "member", "cosigners", "coordinator",
})  # fmt: skip
_VERSION = re.compile(r"\.v[0-9]+$")
REASONS: tuple[str, ...] = ("IneffectiveReason", "RefusalCode", "State", "Reason")
"""Where the reason of a verdict may have its words."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value: its words, what kind it is, and in full what was cut short. ``parts`` are those of a list."""

    text: str = ""
    kind: str = "word"
    full: str = ""
    parts: tuple["Cell", ...] = ()


NOTHING = Cell("\N{EN DASH}", "nothing")


@dataclass(frozen=True, slots=True)
class Table:
    """An answer's rows: what its columns are called, and per row its cells, entries and whether to look there first."""

    columns: tuple[str, ...]
    rows: tuple["TableRow", ...]
    as_cards: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table."""

    cells: tuple[Cell, ...]
    positions: tuple[int, ...]
    notable: bool


def table(said: Words, rows: tuple[AnswerRow, ...]) -> Table:
    """The rows of an answer, all of one model."""
    if not rows:
        return Table((), (), as_cards=False)
    fields = [name for name in type(rows[0]).model_fields if name not in _OF_EVERY_ROW]
    return Table(
        columns=tuple(said.code("Field", name) for name in fields),
        rows=tuple(
            TableRow(tuple(cell(said, name, getattr(row, name)) for name in fields), row.positions, row.notable)
            for row in rows
        ),
        as_cards=any(_is_nested(getattr(row, name)) for row in rows for name in fields),
    )


def facts(said: Words, answer: Answer[Any]) -> tuple[tuple[str, Cell], ...]:
    """What an answer tells beside its rows."""
    own = [name for name in type(answer).model_fields if name not in {"moment", "rows"}]
    shown = ((name, getattr(answer, name)) for name in own)
    return tuple((said.code("Field", name), cell(said, name, value)) for name, value in shown if not _is_nested(value))


def details(said: Words, body: BaseModel) -> tuple[tuple[str, Cell], ...]:
    """What an event says, field by field; its referral and what its emitter had seen stand elsewhere."""
    return tuple(
        (said.code("Field", name), found)
        for name in type(body).model_fields
        if name not in {"referral", "seen"} and (found := cell(said, name, getattr(body, name))) is not NOTHING
    )


def cell(said: Words, name: str, value: object) -> Cell:
    """One value of the field ``name``."""
    if value is None or value in ((), ""):
        return NOTHING
    read = next((read for kind, read in _READERS if isinstance(value, kind)), None)
    return read(said, name, value) if read is not None else Cell(str(value))


def flat(value: Cell) -> str:
    """A cell in one line of text."""
    if value.kind == "group":
        return ", ".join(f"{part.full}: {flat(part)}" for part in value.parts)
    return ", ".join(map(flat, value.parts)) if value.kind == "list" else value.text


def member_words(said: Words, member: str) -> str:
    """An institution's name; one that this release has no words for by its id."""
    named = said.code("Member", member)
    return named if named != member else member.replace("_", " ").capitalize()


def type_words(said: Words, event_type: str | None) -> str:
    """What an event says, as a person would."""
    if event_type is None:
        return said("an entry that cannot be read")
    return said.code("Event", _VERSION.sub("", event_type))


def reason_words(said: Words, reason: str) -> str:
    """Why something changed nothing."""
    found = (said.code(vocabulary, reason) for vocabulary in REASONS)
    return next((words for words in found if words != reason), reason)


def _named(said: Words, value: BaseModel) -> Iterator[Cell]:
    for name in type(value).model_fields:
        if (found := cell(said, name, getattr(value, name))) is not NOTHING:
            label = said.code("Field", name)
            yield Cell(flat(found), "word", label)


def _number(said: Words, name: str, value: float) -> Cell:
    if name.endswith("seconds") or name in {"seconds_after", "age"}:
        return Cell(duration_words(said, abs(value)), "duration", f"{value:g} s")
    if name in {"withdrawal", "lost_to", "position", "end"}:
        return Cell(f"#{value}", "entry", str(value))
    return Cell(str(value), "number")


def _text(said: Words, name: str, value: str) -> Cell:
    if name in _MEMBERS:
        return Cell(member_words(said, value), "member", value)
    if _EVENT_TYPE.fullmatch(value):
        return Cell(type_words(said, value), "code", value)
    if _HASH.fullmatch(value):
        return Cell(f"{value[:12]}…", "id", value)
    words = reason_words(said, value)
    return Cell(words if words != value else _any_code(said, value), "code", value)


def _any_code(said: Words, code: str) -> str:
    """The words of a code whose vocabulary its field does not name."""
    found = (said.code(vocabulary, code) for vocabulary in _CODED)
    return next((words for words in found if words != code), code)


_CODED = tuple(name for name, kind in vars(codes).items() if isinstance(kind, type) and issubclass(kind, Enum))


def _line(said: Words, _name: str, line: EntrySummary) -> Cell:
    when = clock_words(line.at)
    text = f"{when} · {member_words(said, line.emitter or '')} · {type_words(said, line.type)}"
    if line.reason is not None:
        text = f"{text} ({reason_words(said, line.reason)})"
    return Cell(text, "line", f"#{line.position}")


def _is_nested(value: object) -> bool:
    return isinstance(value, tuple) and any(isinstance(part, AnswerPart) for part in value)


_READERS: tuple[tuple[type | tuple[type, ...], Callable[[Words, str, Any], Cell]], ...] = (
    (bool, lambda said, _, value: Cell(said("yes") if value else said("no"), "yes" if value else "no")),
    (Enum, lambda said, _, value: Cell(said.code(type(value).__name__, str(value.value)), "code", str(value.value))),
    (datetime, lambda _, __, value: Cell(clock_words(value), "time", value.isoformat())),
    (UUID, lambda _, __, value: Cell(str(value)[:8], "id", str(value))),
    ((int, float), _number),
    (str, _text),
    (tuple, lambda said, name, value: Cell(kind="list", parts=tuple(cell(said, name, part) for part in value))),
    (EntrySummary, _line),
    (BaseModel, lambda said, _, value: Cell(kind="group", parts=tuple(_named(said, value)))),
)
