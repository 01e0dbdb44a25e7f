"""Translation catalogues: messages are extracted, and the catalogues updated and checked, with Babel.

``python -m handoff.contract.catalogues --write`` extracts the messages of each catalogue and updates it, as
`pybabel extract` and `pybabel update` do; codes are added as messages with their vocabulary as context. ``--check``
fails if an update would change a file. Both fail if a message is not translated, is marked fuzzy, or lacks a
placeholder of its sentence. The Cyrillic catalogues follow from the Latin ones.
"""

import io
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from pydantic import BaseModel

import handoff.views.replay
from handoff.contract.code_list import answer_vocabularies, record_vocabularies
from handoff.domain.handoff_clock import ClockReason, Segment
from handoff.package_data import data_path
from handoff.record.events import CATALOGUE, Keying
from handoff.views.board.flows import Outcome, RefusalGroup
from handoff.views.replay.questions import QUESTIONS
from handoff.web.pages import cyrillic
from handoff.web.pages.translation import Message

_HANDOFF = Path(handoff.views.replay.__file__).parents[2]
_LANGUAGES = ("en", "sq", "sr_Latn")
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS = {"**/templates/**.html": {"silent": "false"}}
_KEYWORDS = {"_": None, "tr": None, "gettext_noop": None}
_NEVER_SHOWN = frozenset({"agencies", "positions", "notable", "moment", "rows", "moved", "seen"})
_END_OF_HEADER = '"Content-Transfer-Encoding: 8bit\\n"\n\n'
_PLACEHOLDER = re.compile(r"\{\w+\}")


def messages() -> Mapping[str, frozenset[Message]]:
    """Package of a catalogue → vocabulary and id of every message that needs a translation in it."""
    shared = frozenset((*_extracted("web/pages"), *_record_codes(), *_codes(Segment, ClockReason), *_names()))
    audit = (*_extracted("audit"), *_questions(), *_codes(*answer_vocabularies()), *_fields())
    board = (*_extracted("coordination"), *_codes(Outcome, RefusalGroup))
    return {
        "handoff.web.pages.locales": shared,
        "handoff.audit.i18n": frozenset(audit) - shared,
        "handoff.coordination.i18n": frozenset(board) - shared,
    }


def _extracted(directory: str) -> Iterator[Message]:
    for _, _, message, _, _ in extract_from_dir(_HANDOFF / directory, _METHODS, _OPTIONS, keywords=_KEYWORDS):
        yield None, str(message)


def _questions() -> Iterator[Message]:
    for question in QUESTIONS.values():
        yield from ((None, text) for text in (question.asks, question.found, question.nothing))


def _codes(*vocabularies: type[Enum]) -> Iterator[Message]:
    for vocabulary in vocabularies:
        yield from ((vocabulary.__name__, code.value) for code in vocabulary)


def _record_codes() -> Iterator[Message]:
    yield from _codes(*record_vocabularies())
    yield from (("Event", event_type.rpartition(".v")[0]) for event_type in CATALOGUE)


def _fields() -> Iterator[Message]:
    """Yield the names of the fields of answers, and of events about a case."""
    for name in iter_modules(handoff.views.replay.__path__):
        module = import_module(f"handoff.views.replay.{name.name}")
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.__name__:
                yield from _fields_of(found)
    for body in CATALOGUE.values():
        if body.keying is Keying.CASE:
            yield from _fields_of(body)


def _fields_of(model: type[BaseModel]) -> Iterator[Message]:
    for name, field in model.model_fields.items():
        if name not in _NEVER_SHOWN:
            yield "Field", name
        for inner in _models(field.annotation):
            yield from _fields_of(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def _names() -> Iterator[Message]:
    """Yield the members of the sample plan, those beside them, and the units of time."""
    from handoff.config import jurisdiction_plan

    members = (*jurisdiction_plan(data_path("prizren.toml")).member_ids, "exchange", "monitor")
    yield from (("Member", member) for member in members)
    yield from (("Unit", unit) for unit in ("d", "h", "min", "s"))


def _template(found: frozenset[Message]) -> Catalog:
    template = Catalog(fuzzy=False)
    for context, message in sorted(found, key=lambda one: (one[0] or "", one[1])):
        template.add(message, context=context)
    return template


def _updated(path: Path, template: Catalog) -> str:
    """Return the text of a catalogue with the messages of the template: new ones empty, unused ones removed."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    catalogue.update(template, no_fuzzy_matching=True)
    for message in catalogue:
        # A sentence is its own English translation; a code needs a name.
        if path.stem == "en" and message.id and message.context is None:
            message.string = message.id
    text = io.BytesIO()
    write_po(text, catalogue, omit_header=True, ignore_obsolete=True, width=0)
    # The header without the dates that Babel adds, so that a repeated update gives the same bytes.
    return f"{path.read_text(encoding='utf-8').partition(_END_OF_HEADER)[0]}{_END_OF_HEADER}{text.getvalue().decode()}"


def _catalogues(package: str) -> list[Path]:
    return [_HANDOFF.parent / package.replace(".", "/") / f"{language}.po" for language in _LANGUAGES]


def _faults(path: Path) -> Iterator[str]:
    """Yield what makes a catalogue unfit for use."""
    with path.open("rb") as file:
        for message in read_po(file, locale=path.stem):
            if message.id and (not message.string or message.fuzzy):
                yield f"{path}: not translated: {message.id}"
            elif message.id and message.context is None:
                translated = sorted(_PLACEHOLDER.findall(str(message.string)))
                if translated != sorted(_PLACEHOLDER.findall(str(message.id))):
                    yield f"{path}: other placeholders than its sentence: {message.id}"


def main(arguments: list[str]) -> int:
    """Check or update the catalogues. The exit status is 1 if one is stale or incomplete, 2 for other arguments."""
    if arguments not in (["--check"], ["--write"]):
        sys.stderr.write("usage: python -m handoff.contract.catalogues --check|--write\n")
        return 2
    code = 0
    for package, found in messages().items():
        for path in _catalogues(package):
            text = _updated(path, _template(found))
            if arguments == ["--write"]:
                path.write_text(text, encoding="utf-8")
            elif text != path.read_text(encoding="utf-8"):
                sys.stderr.write(f"{path} lacks messages, or has unused ones: run make generate\n")
                code = 1
    code |= cyrillic.main(arguments)
    faults = [fault for package in messages() for path in _catalogues(package) for fault in _faults(path)]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
