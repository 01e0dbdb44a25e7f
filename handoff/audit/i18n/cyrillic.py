"""Serbian in Cyrillic, transliterated from Latin: the catalogue in one script is made from the other.

``python -m handoff.audit.i18n.cyrillic --check`` fails where the committed file differs from what the table gives;
``--write`` brings it up to date.
"""

import io
import re
import sys
from importlib.resources import files
from pathlib import Path

from babel.messages.pofile import read_po, write_po

_PAIRS = {"lj": "љ", "nj": "њ", "dž": "џ"}
_LETTERS = dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))
# What is written in Latin in either script: placeholders, commands, formats, units, hexadecimal letters.
_KEPT = re.compile(r"\{\w+\}|\bhandoff verify\b|\b(?:CSV|XES|PDF|SOS)\b|\ba do f\b|^(?:d|h|min|s)$")
_HEADER = """\
# The words of the audit's pages: Serbian in Cyrillic, made from sr_Latn.po by handoff.audit.i18n.cyrillic.
msgid ""
msgstr ""
"Language: sr_Cyrl\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""
_LOCALES = Path(str(files("handoff.audit.i18n"))) / "locales"
LATIN, CYRILLIC = _LOCALES / "sr_Latn.po", _LOCALES / "sr_Cyrl.po"


def in_cyrillic(latin: str) -> str:
    """The same words in the other script."""
    parts, end = [], 0
    for kept in _KEPT.finditer(latin):
        parts += [_transliterated(latin[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*parts, _transliterated(latin[end:])])


def _transliterated(latin: str) -> str:
    return re.sub("lj|nj|dž|.", _letter, latin, flags=re.IGNORECASE | re.DOTALL)


def _letter(found: re.Match[str]) -> str:
    latin = found[0]
    small = latin.lower()
    cyrillic = _PAIRS.get(small) or _LETTERS.get(small)
    if cyrillic is None:
        return latin
    return cyrillic.upper() if latin[0].isupper() else cyrillic


def catalogue() -> str:
    """The Cyrillic catalogue, as the Latin one gives it."""
    with LATIN.open("rb") as file:
        messages = read_po(file, locale="sr_Latn")
    for message in messages:
        if message.id:
            message.string = in_cyrillic(str(message.string))
    out = io.BytesIO()
    write_po(out, messages, omit_header=True, width=0)
    return f"{_HEADER}\n{out.getvalue().decode().strip()}\n"


def main(arguments: list[str]) -> int:
    """The exit status: 1 where the file differs, 2 where nothing sensible was asked."""
    if arguments == ["--write"]:
        CYRILLIC.write_text(catalogue(), encoding="utf-8")
        return 0
    if arguments != ["--check"]:
        sys.stderr.write("usage: python -m handoff.audit.i18n.cyrillic --check|--write\n")
        return 2
    if CYRILLIC.read_text(encoding="utf-8") == catalogue():
        return 0
    sys.stderr.write("handoff/audit/i18n/locales/sr_Cyrl.po differs from sr_Latn.po\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
