"""What else on the record stands on entries that are to be taken out: their effect goes with their bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from handoff.domain.directory import Directory
from handoff.domain.examine import read
from handoff.record.message import Message
from handoff.record.redaction import Redaction, RedactionReason
from handoff.views.timeline_fold import Chronicle, Page, Placed


class DirectoryStays(Exception):
    """An entry of the directory was to be taken out: everyone's keys stand in it, so it is never redacted."""


def redacted(message: Message, reason: RedactionReason) -> Message:
    """``message`` with a stub in its value's place; key and headers are what the record hash covers."""
    return replace(message, value=Redaction.of(message.value or b"", reason).stub)


def standing_on(
    taken: frozenset[int], strands: Iterable[Placed], genesis_hash: str, empty: Directory, reason: RedactionReason
) -> tuple[int, ...]:
    """The offsets whose verdict would be another without those ``taken``; none of them may stay alone.

    ``strands``: every entry of the directory and of the cases concerned, in the record's order, each with the record
    time at its position. Raises ``DirectoryStays``.
    """
    before = tuple(strands)
    if any(placed.offset in taken and placed.entry.message.key == empty.jurisdiction.encode() for placed in before):
        raise DirectoryStays
    after = [_without(placed, reason) if placed.offset in taken else placed for placed in before]
    pages = (_page(entries, genesis_hash, empty) for entries in (before, after))
    return tuple(
        was.placed.offset
        for was, now in zip(*(page.lines for page in pages), strict=True)
        if was.placed.offset not in taken and was.verdict != now.verdict
    )


def _without(placed: Placed, reason: RedactionReason) -> Placed:
    return replace(placed, entry=read(redacted(placed.entry.message, reason)))


def _page(entries: Sequence[Placed], genesis_hash: str, empty: Directory) -> Page:
    return Chronicle(genesis_hash, empty, record_ms=0).page(entries, {})
