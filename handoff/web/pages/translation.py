"""Translation of the pages, from gettext catalogues that are read when a language is first requested."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

LANGUAGES: Mapping[str, str] = {"sq": "Shqip", "sr-Latn": "Srpski", "sr-Cyrl": "Српски", "en": "English"}
"""BCP 47 tag → the language's own name, in the order of the language menu."""

DEFAULT_LANGUAGE = "en"

Message = tuple[str | None, str]
"""Context and id of a message. The context of a code is its vocabulary; a sentence has none."""

Messages = Mapping[Message, str]
"""Message → its translation."""


def gettext_noop(message: str) -> str:
    """Return ``message``. Marks a constant for extraction into the catalogues; it is translated where it is shown."""
    return message


@dataclass(frozen=True)
class Translation:
    """Messages in one language, and times in one zone."""

    language: str
    messages: Messages
    time_zone: ZoneInfo

    def __call__(self, message: str, **values: object) -> str:
        """Translate a sentence and replace its placeholders by ``values``."""
        translated = self.messages.get((None, message)) or message
        return translated.format(**values) if values else translated

    def code(self, vocabulary: str, code: str) -> str:
        """Translate a code. A code without a translation is returned unchanged."""
        return self.messages.get((vocabulary, code)) or code

    def time(self, moment: datetime) -> str:
        """Format a time in the time zone of the pages, to the second."""
        return f"{moment.astimezone(self.time_zone):%Y-%m-%d %H:%M:%S %Z}"

    def duration(self, seconds: float) -> str:
        """Format a duration in its two largest units."""
        whole = int(seconds)
        if whole < 10:
            return f"{seconds:.1f} {self.code('Unit', 's')}"
        minutes, hours = whole // 60, whole // 3600
        units = (("d", hours // 24), ("h", hours % 24), ("min", minutes % 60), ("s", whole % 60))
        first = next(index for index, (_, count) in enumerate(units) if count)
        return " ".join(f"{count} {self.code('Unit', unit)}" for unit, count in units[first : first + 2] if count)


@cache
def read_catalogue(package: str, language: str) -> Messages:
    """Return the messages of the catalogue of a language in ``package``."""
    from babel.messages.pofile import read_po

    with (files(package) / f"{language.replace('-', '_')}.po").open("rb") as file:
        messages = read_po(file)
    return {(message.context, str(message.id)): str(message.string) for message in messages if message.id}


def choose_language(requested: str | None, remembered: str | None, accept_language: str) -> str:
    """Return the requested language, else the one of the cookie, else the first that the browser accepts."""
    accepted = (part.partition(";") for part in accept_language.split(","))
    ranked = sorted(accepted, key=lambda part: -_weight(part[2]))
    candidates = (requested, remembered, *(_language_of(tag.strip().lower()) for tag, _, _ in ranked))
    return next((tag for tag in candidates if tag is not None and tag in LANGUAGES), DEFAULT_LANGUAGE)


def _weight(parameter: str) -> float:
    try:
        return float(parameter.partition("=")[2] or 1)
    except ValueError:
        return 0.0


def _language_of(tag: str) -> str:
    if tag.startswith("sr"):
        return "sr-Cyrl" if "cyrl" in tag else "sr-Latn"
    return tag.partition("-")[0]
