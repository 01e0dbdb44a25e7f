"""Answers to an auditor's questions, as tables and as one JSON document."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from rich import box
from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.table import Table

from handoff.cli.table_output import ZONE, local_time, span_words
from handoff.views.replay.answer import Answer, AnswerRow
from handoff.views.replay.as_of import AsOf
from handoff.views.replay.diff import Diff
from handoff.views.replay.history import History
from handoff.views.replay.questions import QUESTIONS, ask
from handoff.views.replay.waits import Waits

_IN_OTHER_COLUMNS = frozenset({*AnswerRow.model_fields, *Answer.model_fields})
_CAPTION = f"times in {ZONE.key}; # is the position on the record; ! marks rows to examine first"
_BAR = 24
"""Width of the bar of a wait, in columns."""

_TIME_WIDTH = len("02:15:00+02:00")
"""Width of a column of times, which breaks between date and time."""


@dataclass(frozen=True, slots=True)
class Single:
    """Answer to one question."""

    case: UUID
    view: str
    answer: Answer[Any]

    def document(self) -> Mapping[str, object]:
        """Complete answer as a JSON document."""
        question = QUESTIONS[self.view]
        answer = self.answer.model_dump(mode="json")
        return {"case": self.case, "view": self.view, "question": question.asks, "answer": answer}

    def draw(self, console: Console) -> None:
        """Draw the rows as a table, followed by the other fields."""
        question = QUESTIONS[self.view]
        _draw_title(console, question.asks, self.case, self.answer.moment)
        if self.answer.rows:
            console.print(_table(self.answer.rows, _bars(self.answer)))
        if isinstance(self.answer, AsOf):
            console.print(_table({r.referral: r for row in self.answer.rows for r in row.referrals}.values()))
        for name in (name for name in type(self.answer).model_fields if name not in _IN_OTHER_COLUMNS):
            console.print(f"{_title(name)}: {_cell(name, getattr(self.answer, name)) or '-'}")
        console.print(question.headline(self.answer), style="bold")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Changes between two moments."""

    case: UUID
    diff: Diff

    def document(self) -> Mapping[str, object]:
        """Complete answer as a JSON document."""
        return {"case": self.case, "diff": self.diff.model_dump(mode="json")}

    def draw(self, console: Console) -> None:
        """Draw the entries in between, and the referrals whose state changed."""
        title = f"Changes after {local_time(self.diff.since)}?"
        _draw_title(console, title, self.case, self.diff.moment)
        if not self.diff.rows:
            console.print("no entry in between", style="bold")
            return
        entries = [change.entry for change in self.diff.rows]
        console.print(_table(entries))
        if self.diff.moved:
            console.print(_table(self.diff.moved))


@dataclass(frozen=True, slots=True)
class Summary:
    """All questions, with one line for each answer."""

    case: UUID
    moment: datetime
    answers: Mapping[str, Answer[Any]]

    @classmethod
    def of(cls, history: History, moment: datetime, agency: str | None) -> "Summary":
        """Summary of a case. Raises QuestionRefused."""
        return cls(history.case_id, moment, {name: ask(history, name, moment, agency) for name in QUESTIONS})

    def document(self) -> Mapping[str, Any]:
        """Counts and headlines of all answers as a JSON document."""
        return {
            "case": self.case,
            "moment": self.moment,
            "questions": [
                {
                    "view": name,
                    "question": QUESTIONS[name].asks,
                    "headline": QUESTIONS[name].headline(answer),
                    "count": answer.count,
                    "notable_count": answer.notable_count,
                }
                for name, answer in self.answers.items()
            ],
        }

    def draw(self, console: Console) -> None:
        """Draw one line for each question."""
        _draw_title(console, "An auditor's questions", self.case, self.moment)
        table = _empty("", "--view", "question", "answer")
        for name, answer in self.answers.items():
            question, is_notable = QUESTIONS[name], answer.notable_count > 0
            cells = ("!" if is_notable else "", name, question.asks, question.headline(answer))
            table.add_row(*cells, style="yellow" if is_notable else None)
        console.print(table)


def _draw_title(console: Console, asks: str, case: UUID, moment: datetime) -> None:
    console.print(asks, style="italic")
    console.print(f"case {case} as of {local_time(moment)}", style="dim")
    console.print(_CAPTION, style="dim")


def _table(rows: Iterable[BaseModel], bars: Mapping[str, list[RenderableType]] | None = None) -> Table:
    """Table with one column for each field that is not empty in all rows."""
    shown, drawn = tuple(rows), bars or {}
    columns = [name for name in type(shown[0]).model_fields if any(_cell(name, getattr(row, name)) for row in shown)]
    table = _empty(*map(_title, columns), *drawn)
    for name, column in zip(columns, table.columns, strict=False):
        if any(isinstance(getattr(row, name), datetime) for row in shown):
            column.min_width = _TIME_WIDTH
    for column in table.columns[len(columns) :]:
        column.no_wrap = True
    for number, row in enumerate(shown):
        cells = (_cell(name, getattr(row, name)) for name in columns)
        style = "yellow" if getattr(row, "notable", False) else None
        table.add_row(*cells, *(picture[number] for picture in drawn.values()), style=style)
    return table


def _empty(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _bars(answer: Answer[Any]) -> Mapping[str, list[RenderableType]] | None:
    """Bars of waits on a common time scale."""
    if not isinstance(answer, Waits):
        return None
    first = min(row.since for row in answer.rows)
    starts = [(row.since - first).total_seconds() for row in answer.rows]
    whole = max(start + row.seconds for start, row in zip(starts, answer.rows, strict=True)) or 1.0
    bars: list[RenderableType] = [
        Bar(whole, start, max(start + row.seconds, start + whole / _BAR), width=_BAR)
        for start, row in zip(starts, answer.rows, strict=True)
    ]
    return {"when": bars}


def _title(field: str) -> str:
    return _TITLES.get(field) or field.removeprefix("seconds_").removesuffix("_seconds").replace("_", " ")


_TITLES = {"positions": "#", "position": "#", "notable": "!", "seconds": "how long"}


def _cell(field: str, value: Any) -> str:
    """Text of a field; empty for None."""
    if field in _COUNTED:
        return str(len(value)) if value else ""
    if field == "positions" and len(value) > _POSITIONS:
        return f"{value[0]} … {value[-1]}"
    if field == "notable":
        return "!" if value else ""
    if field == "type":
        return (value or "").removesuffix(".v1")
    return "" if field == "agencies" else _words(value)


_COUNTED = frozenset({"recorded", "routed", "delivered", "opened", "referrals"})
"""Lists that are too long for a table, which has only their lengths. --json has them in full."""

_POSITIONS = 3
"""Number of positions from which they are shown as a range."""


def _words(value: Any) -> str:
    return next((write(value) for kind, write in _FORMATS if isinstance(value, kind)), str(value))


_FORMATS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (NoneType, lambda _: ""),
    (bool, lambda value: "yes" if value else "no"),
    (datetime, local_time),
    (float, span_words),
    (UUID, lambda value: str(value)[:8]),
    (tuple, lambda value: ", ".join(map(_words, value))),
    (BaseModel, lambda value: " ".join(filter(None, (_cell(*field) for field in value)))),
)
