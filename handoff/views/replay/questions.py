"""The auditor's questions: one registry from which the API, the command and the page are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from handoff.views.replay.answer import Answer
from handoff.views.replay.as_of import AsOf, as_of
from handoff.views.replay.completeness import Completeness, completeness
from handoff.views.replay.history import History
from handoff.views.replay.refused import QuestionRefused
from handoff.views.replay.waits import Waits, waits


@dataclass(frozen=True, slots=True)
class Question:
    """One named view. ``found`` says its answer in a line, with {count} and {notable}; ``nothing`` if there is none."""

    name: str
    asks: str
    model: type[Answer[Any]]
    answer: Callable[[History, datetime], Answer[Any]]
    found: str
    nothing: str

    def headline(self, answer: Answer[Any]) -> str:
        """``answer`` in one line."""
        if not answer.rows:
            return self.nothing
        return self.found.format(count=answer.count, notable=answer.notable_count)


_ALL = (
    Question(
        "as_of",
        "What had each institution recorded, been delivered and opened at that moment?",
        AsOf,
        as_of,
        "institutions: {count}, of them with something that no person had opened: {notable}",
        "nothing was on the record yet",
    ),
    Question(
        "waits",
        "Which part of each handoff took how long, and whose wait was it?",
        Waits,
        waits,
        "waits: {count}, still open: {notable}",
        "nobody has waited for anything",
    ),
    Question(
        "completeness",
        "Up to where is the case proven complete, by whom, and what could not be proven?",
        Completeness,
        completeness,
        "entries of which something is not proven: {count}",
        "all of it is under a witnessed checkpoint",
    ),
)
QUESTIONS: Mapping[str, Question] = MappingProxyType({question.name: question for question in _ALL})
"""Name → question, in the order in which they are asked."""


def question(name: str) -> Question:
    """The question of that name; raises QuestionRefused naming those that exist."""
    if name not in QUESTIONS:
        raise QuestionRefused("view", f"there is no view {name!r}; there are {', '.join(QUESTIONS)}")
    return QUESTIONS[name]


def ask(history: History, name: str, moment: datetime, agency: str | None = None) -> Answer[Any]:
    """What ``name`` asks, answered as of ``moment``, as far as it concerns ``agency``. Raises QuestionRefused."""
    asked = question(name)
    if agency is not None and agency not in history.known.directory.members:
        raise QuestionRefused("agency", f"{agency!r} is no member of the jurisdiction")
    return asked.answer(history, moment).of(agency)
