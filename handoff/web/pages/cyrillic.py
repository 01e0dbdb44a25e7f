"""Transliteration of Serbian: each Cyrillic catalogue is generated from the Latin one beside it.

``python -m handoff.web.pages.cyrillic --check`` fails if a committed catalogue differs from the generated one;
``--write`` updates them.
"""

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po, write_po

_PAIRS = {"lj": "љ", "nj": "њ", "dž": "џ"}
_LETTERS = dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))
# Latin in both scripts: placeholders, commands, formats, units, hexadecimal letters.
_LATIN_ONLY = re.compile(r"\{\w+\}|\bhandoff verify\b|\b(?:CSV|XES|PDF|SOS)\b|\ba do f\b|^(?:d|h|min|s)$")
_HEADER = """\
# Serbian in Cyrillic, generated from sr_Latn.po by handoff.web.pages.cyrillic.
msgid ""
msgstr ""
"Language: sr_Cyrl\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""
_ROOT = Path(__file__).parents[2]


def in_cyrillic(latin: str) -> str:
    """Transliterate ``latin``; placeholders, commands and formats stay in Latin."""
    parts, end = [], 0
    for latin_only in _LATIN_ONLY.finditer(latin):
        parts += [_transliterated(latin[end : latin_only.start()]), latin_only[0]]
        end = latin_only.end()
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


def cyrillic_catalogue(latin: Path) -> str:
    """Return the text of the Cyrillic catalogue for the Latin one."""
    with latin.open("rb") as file:
        messages = read_po(file, locale="sr_Latn")
    for message in messages:
        if message.id:
            message.string = in_cyrillic(str(message.string))
    out = io.BytesIO()
    write_po(out, messages, omit_header=True, width=0)
    return f"{_HEADER}\n{out.getvalue().decode().strip()}\n"


def _generated() -> Iterator[tuple[Path, str]]:
    for latin in sorted(_ROOT.rglob("sr_Latn.po")):
        yield latin.with_name("sr_Cyrl.po"), cyrillic_catalogue(latin)


def main(arguments: list[str]) -> int:
    """Check or write the catalogues. The exit status is 1 if a file differs, 2 if the arguments are wrong."""
    if arguments == ["--write"]:
        for path, text in _generated():
            path.write_text(text, encoding="utf-8")
        return 0
    if arguments != ["--check"]:
        sys.stderr.write("usage: python -m handoff.web.pages.cyrillic --check|--write\n")
        return 2
    stale = [path for path, text in _generated() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        sys.stderr.write(f"{path.relative_to(_ROOT.parent)} differs from sr_Latn.po: run make generate\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
