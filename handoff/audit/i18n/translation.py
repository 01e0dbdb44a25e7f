"""The words of the pages in four languages, from gettext catalogues that are read when a language is first wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LANGUAGES: Mapping[str, str] = {"sq": "Shqip", "sr-Latn": "Srpski", "sr-Cyrl": "Српски", "en": "English"}
"""BCP 47 tag → the language's own name, in the order in which they are offered."""

DEFAULT = "en"
_LOCALES = files("handoff.audit.i18n") / "locales"

Entries = Mapping[tuple[str | None, str], str]
"""Vocabulary (None for the pages' own sentences) and id → words."""


@dataclass(frozen=True)
class Words:
    """What is said in one language."""

    tag: str
    entries: Entries

    def __call__(self, sentence: str, **values: object) -> str:
        """A sentence of the pages, with ``values`` in its braces."""
        said = self.entries.get((None, sentence)) or sentence
        return said.format(**values) if values else said

    def code(self, vocabulary: str, code: str) -> str:
        """The words of a code; a code that this release has none for stays as it is."""
        return self.entries.get((vocabulary, code)) or code


@cache
def words(tag: str) -> Words:
    """The words of the language of that tag."""
    return Words(tag, catalogue(tag))


def catalogue(tag: str) -> Entries:
    """What the language's file holds."""
    from babel.messages.pofile import read_po

    with (_LOCALES / f"{tag.replace('-', '_')}.po").open("rb") as file:
        messages = read_po(file)
    return {(message.context, str(message.id)): str(message.string) for message in messages if message.id}


def preferred(asked: str | None, kept: str | None, accepted: str) -> str:
    """The language to answer in: what was just asked for, else kept in a cookie, else what the browser accepts."""
    offered = (asked, kept, *map(_offered, _by_weight(accepted)))
    return next((tag for tag in offered if tag is not None and tag in LANGUAGES), DEFAULT)


def _by_weight(accepted: str) -> list[str]:
    ranges = [part.partition(";") for part in accepted.split(",")]
    return [tag.strip().lower() for tag, _, weight in sorted(ranges, key=lambda r: -_weight(r[2]))]


def _weight(parameter: str) -> float:
    try:
        return float(parameter.partition("=")[2] or 1)
    except ValueError:
        return 0.0


def _offered(tag: str) -> str:
    if tag.startswith("sr"):
        return "sr-Cyrl" if "cyrl" in tag else "sr-Latn"
    return tag.partition("-")[0]
