"""Strict JSON parsing, before any model validates the document.

pydantic and most parsers silently keep the last of two equal keys and accept NaN, so that two honest readers could
disagree about the same signed bytes. Source: docs/proof.md, strict parsing.
"""

import json
from typing import Any, Never

from handoff.record.codes import RefusalCode
from handoff.record.errors import NotAnEvent

MAX_EVENT_BYTES = 16 * 1024
MAX_DEPTH = 8


def parse(raw: bytes) -> dict[str, Any]:
    """Return the object in ``raw``: UTF-8 without a BOM, no duplicate keys, no NaN, depth ≤ 8, at most 16 KiB.

    Raises ``NotAnEvent`` with ``oversize`` or ``malformed``.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise NotAnEvent(RefusalCode.OVERSIZE, "event", f"{len(raw)} bytes, more than {MAX_EVENT_BYTES}")
    try:
        document = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _malformed("event", "not strict JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise _malformed("event", "not a JSON object")
    # With no more brackets than the permitted depth, nesting cannot be too deep: most events skip the walk.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(document, MAX_DEPTH)
    if b"\\u" in raw:
        _check_escapes(document)
    return document


def _malformed(field: str, reason: str) -> NotAnEvent:
    return NotAnEvent(RefusalCode.MALFORMED, field, reason)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("event", "an object has the same key twice")
    return found


def _no_constant(name: str) -> Never:
    raise _malformed("event", f"{name} is not JSON")


# Built once: with hooks, ``json.loads`` builds a decoder for each document.
_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)


def _check_escapes(document: dict[str, Any]) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _malformed("event", "an unpaired surrogate in a string") from error


def _check_depth(value: object, left: int) -> None:
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    else:
        return
    if left == 0:
        raise _malformed("event", f"nested deeper than {MAX_DEPTH}")
    for child in children:
        _check_depth(child, left - 1)
