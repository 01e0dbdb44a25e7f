"""Messages of each catalogue: extracted by Babel from code and templates, or codes of the record."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from babel.messages.extract import extract_from_dir
from pydantic import BaseModel

import handoff.views.replay
from handoff.contract.code_list import answer_vocabularies, record_vocabularies
from handoff.record.events import CATALOGUE, Keying
from handoff.views.replay.questions import QUESTIONS

HANDOFF = Path(handoff.views.replay.__file__).parents[2]
Message = tuple[str | None, str]
NEVER_SHOWN = frozenset({"agencies", "positions", "notable", "moment", "rows", "moved", "seen"})
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "tr": None, "gettext_noop": None}


def messages() -> dict[str, set[Message]]:
    """Package of a catalogue → vocabulary and id of every message that needs a translation in it."""
    return {
        "handoff.web.pages.locales": {*extracted("web/pages"), *record_codes(), *names()},
        "handoff.audit.i18n": {*extracted("audit"), *questions(), *answer_codes(), *fields()},
    }


def extracted(directory: str) -> Iterator[Message]:
    """The messages in the code and templates below a directory of the package."""
    options = {"**/templates/**.html": {"silent": "false"}}
    for _, _, message, _, _ in extract_from_dir(HANDOFF / directory, METHODS, options, keywords=KEYWORDS):
        yield None, str(message)


def questions() -> Iterator[Message]:
    """The auditor's questions and the headlines of their answers."""
    for question in QUESTIONS.values():
        yield from ((None, text) for text in (question.asks, question.found, question.nothing))


def answer_codes() -> Iterator[Message]:
    """Every code that only an answer may carry."""
    for vocabulary in answer_vocabularies():
        yield from ((vocabulary.__name__, code.value) for code in vocabulary)


def record_codes() -> Iterator[Message]:
    """Every code that an event may carry."""
    for vocabulary in record_vocabularies():
        yield from ((vocabulary.__name__, code.value) for code in vocabulary)
    yield from (("Event", event_type.rpartition(".v")[0]) for event_type in CATALOGUE)


def _answers() -> Iterator[Any]:
    for module in iter_modules(handoff.views.replay.__path__):
        yield import_module(f"handoff.views.replay.{module.name}")


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
