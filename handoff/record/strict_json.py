"""Strict JSON parsing, before any model validates the document.

pydantic and most parsers silently keep the last of two equal keys and accept NaN, so that two honest readers could
disagree about the same signed bytes. Source: docs/proof.md, strict parsing.
"""

import codecs
import json
from typing import Any, Never

from handoff.record.codes import RefusalCode
from handoff.record.errors import NotAnEvent

MAX_EVENT_BYTES = 16 * 1024
MAX_DEPTH = 8
_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse(raw: bytes, max_bytes: int = MAX_EVENT_BYTES) -> dict[str, Any]:
    """Return the object in ``raw``: UTF-8 without a BOM, no duplicate keys, no NaN, depth ≤ 8, at most 16 KiB.

    Raises ``NotAnEvent`` with ``oversize`` or ``malformed``. Its reason is a predicate, as in "has a key twice", and
    quotes nothing of ``raw``.
    """
    if len(raw) > max_bytes:
        raise NotAnEvent(RefusalCode.OVERSIZE, "event", f"has {len(raw)} bytes, more than {max_bytes}")
    try:
        document = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _malformed("event", _why(raw, error)) from error
    if not isinstance(document, dict):
        raise _malformed("event", "is not a JSON object")
    # With no more brackets than the permitted depth, nesting cannot be too deep: most events skip the walk.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(document, MAX_DEPTH)
    if b"\\u" in raw:
        _check_escapes(document)
    return document


def _why(raw: bytes, error: Exception) -> str:
    """Return the reason why ``raw`` was not decoded."""
    if raw.startswith(_BYTE_ORDER_MARKS):
        return "begins with a byte order mark"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 at byte {error.start + 1}"
    if isinstance(error, json.JSONDecodeError):
        # The parser's own message may quote the text.
        return f"is not JSON at line {error.lineno}, column {error.colno}" if raw.strip() else "is empty"
    if isinstance(error, RecursionError):
        return f"is nested deeper than {MAX_DEPTH}"
    return "has a number of too many digits"


def _malformed(field: str, reason: str) -> NotAnEvent:
    return NotAnEvent(RefusalCode.MALFORMED, field, reason)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("event", "has the same key twice in one object")
    return found


def _no_constant(name: str) -> Never:
    raise _malformed("event", f"contains {name}, which is not JSON")


# Built once: with hooks, ``json.loads`` builds a decoder for each document.
_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)


def _check_escapes(document: dict[str, Any]) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _malformed("event", "has an unpaired surrogate in a string") from error


def _check_depth(value: object, left: int) -> None:
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    else:
        return
    if left == 0:
        raise _malformed("event", f"is nested deeper than {MAX_DEPTH}")
    for child in children:
        _check_depth(child, left - 1)
