"""JSON that leaves no room for two readings: parsed before any model sees it.

pydantic and most parsers silently keep the last of two equal keys and accept NaN; two honest readers could then
disagree about the same signed bytes. Source: proof.md's strict parsing.
"""

import json
from typing import Any, Never

from handoff.record.codes import RefusalCode
from handoff.record.errors import NotAnEvent

MAX_EVENT_BYTES = 16 * 1024
MAX_DEPTH = 8


def parse(raw: bytes) -> dict[str, Any]:
    """The object in ``raw``: UTF-8 without a BOM, no duplicate keys, no NaN, depth ≤ 8, at most 16 KiB.

    Raises ``NotAnEvent`` with ``oversize`` or ``malformed``.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise NotAnEvent(RefusalCode.OVERSIZE, "event", f"{len(raw)} bytes are over {MAX_EVENT_BYTES}")
    try:
        document = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _malformed("event", "not strict JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise _malformed("event", "not a JSON object")
    # What opens fewer brackets than it may be deep is not too deep: most events need not be walked through.
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


# Made once: ``json.loads`` would make one for each document.
_DECODER = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)


def _check_escapes(document: dict[str, Any]) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _malformed("event", "half of a surrogate pair") from error


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
