"""Everything that the audit's pages may have to say, gathered from where it is said."""

import ast
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from jinja2.ext import babel_extract
from pydantic import BaseModel

import handoff.views.replay
from handoff.audit.pages import case_pages as pages
from handoff.audit.pages.page_route import SENTENCES
from handoff.domain.rules import ALREADY
from handoff.record import codes
from handoff.record.delivery import VerdictKind
from handoff.record.events import CATALOGUE, Keying
from handoff.views import latency
from handoff.views.replay.questions import QUESTIONS

AUDIT = Path(pages.__file__).parents[1]
Message = tuple[str | None, str]
NEVER_SHOWN = frozenset({"agencies", "positions", "notable", "moment", "rows", "moved", "seen"})


def messages() -> set[Message]:
    """Vocabulary and id of all that needs words in every language."""
    return {*((None, sentence) for sentence in sentences()), *codes_in_words(), *fields(), *names()}


def sentences() -> Iterator[str]:
    """The pages' own sentences."""
    for template in (AUDIT / "pages" / "templates").glob("*.html"):
        with template.open("rb") as file:
            for _, _, said, _ in babel_extract(file, ("_",), (), {"silent": "false"}):
                yield str(said if isinstance(said, str) or said is None else said[0])
    for module in AUDIT.rglob("*.py"):
        yield from _said_in(ast.parse(module.read_text()))
    yield from (words for _, words in pages.TABS)
    yield from (words for _, *both in pages.EXPORTS for words in both)
    yield from (words for both in SENTENCES.values() for words in both)
    for question in QUESTIONS.values():
        yield from (question.asks, question.found, question.nothing)
    yield from ("Sealed", "Witnessed", "Proven up to")


def _said_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
            (sentence, *_) = node.args
            if isinstance(sentence, ast.Constant):
                yield str(sentence.value)


def codes_in_words() -> Iterator[Message]:
    """Every code that an event or an answer may carry."""
    for vocabulary in (*_vocabularies(codes), *_vocabularies_of_answers(), *_vocabularies(latency)):
        yield from ((vocabulary.__name__, code.value) for code in vocabulary)
    yield from (("VerdictKind", outcome.value) for outcome in VerdictKind)
    yield "Reason", ALREADY
    yield from (("Event", event_type.rpartition(".v")[0]) for event_type in CATALOGUE)


def _vocabularies(module: Any) -> Iterator[type[StrEnum]]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, StrEnum) and found.__module__ == module.__name__:
            yield found


def _answers() -> Iterator[Any]:
    for module in iter_modules(handoff.views.replay.__path__):
        yield import_module(f"handoff.views.replay.{module.name}")


def _vocabularies_of_answers() -> Iterator[type[StrEnum]]:
    for module in _answers():
        yield from _vocabularies(module)


def fields() -> Iterator[Message]:
    """The names of what events and answers tell."""
    for module in _answers():
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__:
                yield from _fields(found)
    for body in CATALOGUE.values():
        if body.keying is Keying.CASE:
            yield from _fields(body)


def _fields(model: type[BaseModel]) -> Iterator[Message]:
    for name, field in model.model_fields.items():
        if name not in NEVER_SHOWN:
            yield "Field", name
        for inner in _models(field.annotation):
            yield from _fields(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def names() -> Iterator[Message]:
    """The members of Prizren's plan, those beside them, and the units of time."""
    from handoff.config import jurisdiction_plan
    from tests.support.parts.stack import PRIZREN

    members = (*jurisdiction_plan(PRIZREN).member_ids, "exchange", "monitor")
    yield from (("Member", member) for member in members)
    yield from (("Unit", unit) for unit in ("d", "h", "min", "s"))
