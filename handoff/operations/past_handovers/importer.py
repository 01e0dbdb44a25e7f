"""Import of an event log into the coordinator's database."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from handoff.adapters.postgres.past_handover_store import (
    ImportReport,
    PastHandoverStore,
    Refusals,
    StoredImport,
    past_handover_store,
)
from handoff.config import PostgresSettings
from handoff.operations.errors import OperationError
from handoff.operations.past_handovers.classification import Classification, RefusalReason
from handoff.operations.past_handovers.event_log import LoggedEvent, UnreadableLog, read_events
from handoff.operations.past_handovers.mapping import Mapping
from handoff.views.past_handovers import PastEvent, fold_case

_EVENT_BATCH = 5_000
_CASE_BATCH = 500
_KEY_BYTES = 16

Progress = Callable[[str, int, int], None]
"""Callback with a stage, how much of it is done and its whole; bytes of the file, then events."""
_T = TypeVar("_T")


class ImportRefused(OperationError):
    """An import that cannot start. The message has the reason and the action to take."""


async def import_past_handovers(
    settings: PostgresSettings,
    path: Path,
    mapping: Mapping,
    now: datetime,
    progress: Progress = lambda _stage, _done, _total: None,
    *,
    replace: bool = False,
) -> ImportReport:
    """Import the log at ``path``, or continue an import that was interrupted. Idempotent.

    ``settings`` are those of the coordinator's database. A different file or mapping under a known name needs
    ``replace``, which deletes the former import. Raises ImportRefused, UnreadableLog (nothing of the file remains),
    ConfigurationError, OSError and asyncpg's errors.
    """
    async with past_handover_store(settings) as store:
        if not await store.lock(mapping.name):
            raise ImportRefused(f"another import of {mapping.name!r} is running; wait until it has ended")
        started = await _start(store, path, mapping, now, replace=replace)
        if not started.is_read:
            await _read(store, path, mapping, started, progress)
        if not started.is_done:
            await _fold(store, mapping.name, progress)
        return await store.report(mapping.name)


async def _start(
    store: PastHandoverStore, path: Path, mapping: Mapping, now: datetime, *, replace: bool
) -> StoredImport:
    file_hash, mapping_hash = _file_hash(path), hashlib.sha256(mapping.model_dump_json().encode()).digest()
    known = await store.find(mapping.name)
    if known is not None and (known.file_hash, known.mapping_hash) == (file_hash, mapping_hash):
        return known
    if known is not None and not replace:
        differs = "another mapping" if known.file_hash == file_hash else "another file"
        raise ImportRefused(
            f"{mapping.name!r} was imported from {differs}; give the mapping another name, or use --replace to delete "
            "the former import"
        )
    started = StoredImport(
        file_hash, mapping_hash, secrets.token_bytes(_KEY_BYTES), now, 0, is_read=False, is_done=False
    )
    await store.begin(mapping.name, file_hash, mapping_hash, started.salt or b"", now)
    return started


def _file_hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def _read(
    store: PastHandoverStore, path: Path, mapping: Mapping, started: StoredImport, progress: Progress
) -> None:
    """Store each event that is not stored yet, or the reason for which it is refused."""
    classify = Classification(mapping, started.begun_at)
    salt = started.salt or b""
    logged = read_events(path, mapping, lambda done, total: progress("bytes read", done, total))
    try:
        for batch in _batches(islice(logged, started.events, None), _EVENT_BATCH):
            events: list[tuple[bytes, PastEvent]] = []
            refused: Refusals = {}
            for event in batch:
                found = classify(event)
                if isinstance(found, RefusalReason):
                    refused.setdefault(found.value, []).append(event.number)
                else:
                    events.append((_case_key(event, salt), found))
            await store.save_events(mapping.name, batch[-1].number, events, refused)
    except UnreadableLog:
        await store.forget(mapping.name)
        raise
    await store.finish_reading(mapping.name)


def _case_key(event: LoggedEvent, salt: bytes) -> bytes:
    return hashlib.blake2b((event.case or "").encode(), key=salt, digest_size=_KEY_BYTES).digest()


async def _fold(store: PastHandoverStore, name: str, progress: Progress) -> None:
    total = (await store.report(name)).events
    folded = 0
    while cases := await store.next_cases(name, _CASE_BATCH):
        await store.save_cases(name, [(key, len(events), fold_case(events)) for key, events in cases])
        folded += sum(len(events) for _, events in cases)
        progress("events folded", folded, total)
    await store.finish(name)


def _batches(events: Iterable[_T], size: int) -> Iterator[list[_T]]:
    remaining = iter(events)
    while batch := list(islice(remaining, size)):
        yield batch
