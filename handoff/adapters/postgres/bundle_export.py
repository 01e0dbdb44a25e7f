"""Export of a case bundle from the timeline's database, streamed in constant memory.

Everything is read in one snapshot and exported unchanged: finding manipulated rows is the verifier's task.
"""

import io
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg

from handoff.adapters.postgres.checkpoints import MOST, newest_cosigned
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.timeline_store import connect
from handoff.adapters.postgres.tree_reader import Tree
from handoff.config import PostgresSettings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.entry import PARTITION, LogEntry
from handoff.proof.log.merkle import Proof
from handoff.proof.log.tiles import TILE_WIDTH
from handoff.proof.log.tree_proofs import Path, ReadNode, build_proof, inclusion_path, required_nodes
from handoff.proof.verify.bundle import BundleRecord, BundleWriter, Manifest, bundle_tags
from handoff.proof.verify.checkpoint_trust import TrustedCheckpoint
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.header_codec import Headers, NotHeaders, unpack_headers

_SQL = statements("bundle_export.sql")
_AT_ONCE = 4 * TILE_WIDTH


class UnknownCase(Exception):
    """The record has no entry about this case."""


class NothingProven(Exception):
    """No checkpoint with a quorum covers the case yet: retry after the next checkpoint."""


class Spoilt(Exception):
    """A row that cannot be encoded as an entry: the timeline was manipulated and the bundle cannot be written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Parameters of an export: case, record, trust policy and maximum number of entries."""

    case: UUID
    origin: Origin
    trust: TrustPolicy
    most: int = MOST

    @property
    def manifest(self) -> Manifest:
        """Manifest of the bundle."""
        return Manifest(origin=str(self.origin), case=str(self.case))


class Evidence:
    """Export of one case in a snapshot. ``vouched`` is the newest checkpoint that satisfies the trust policy.

    ``done`` counts the written entries, out of ``size``.
    """

    def __init__(self, connection: asyncpg.Connection, asked: Asked, vouched: TrustedCheckpoint) -> None:
        self._connection = connection
        self._tree = Tree(connection)
        self._asked = asked
        self.vouched = vouched
        self.done = 0

    @property
    def size(self) -> int:
        """Number of entries under the checkpoint."""
        return self.vouched.opened.head.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bundle's bytes. Single use. Raises ``Spoilt``."""
        out = io.BytesIO()
        note, manifest = str(self.vouched.opened.note).encode(), self._asked.manifest
        writer = BundleWriter(out, manifest, note, await self._receipts(manifest))
        async for rows in self._tiles(manifest):
            entries = [_entry(row) for row in rows]
            proofs = await self._proofs(rows)
            for row, entry in zip(rows, entries, strict=True):
                writer.add(entry, _record(row, proofs) if row["wanted"] else None)
            self.done += len(rows)
            yield _taken(out)
        writer.close()
        yield _taken(out)

    async def _receipts(self, manifest: Manifest) -> list[bytes]:
        rows = await self._connection.fetch(_SQL["receipts"], manifest.tag, self.size)
        return [row["note"].encode() for row in rows]

    async def _tiles(self, manifest: Manifest) -> AsyncIterator[list[Any]]:
        """Yield the rows of each tile. A deleted row leaves its tile short."""
        tags = bundle_tags(manifest, self._asked.origin.jurisdiction)
        cursor = await self._connection.cursor(_SQL["entries"], self.size, tags)
        held: list[Any] = []
        while fetched := await cursor.fetch(_AT_ONCE):
            *whole, held = [list(rows) for _, rows in groupby([*held, *fetched], key=lambda row: row[0] // TILE_WIDTH)]
            for rows in whole:
                yield rows
        if held:
            yield held

    async def _proofs(self, rows: list[Any]) -> Mapping[int, Proof]:
        offsets = (row["record_offset"] for row in rows if row["wanted"])
        paths = {offset: inclusion_path(offset, self.size) for offset in offsets}
        read = await self._tree.reader(required_nodes(paths.values()))
        return {offset: _proof(path, read) for offset, path in paths.items()}


@asynccontextmanager
async def evidence(settings: PostgresSettings, asked: Asked) -> AsyncIterator[Evidence]:
    """Open an export in a snapshot of its own; ``settings`` log in as the timeline's reader.

    Raises ``UnknownCase``, ``NothingProven``, ``UnknownLog`` and the database's own errors.
    """
    connection = await connect(settings, patience=None)
    try:
        await connection.execute(_SQL["be_patient"])
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield await collect(connection, asked)
    finally:
        connection.terminate()


async def bundle(settings: PostgresSettings, asked: Asked) -> AsyncIterator[bytes]:
    """Yield a case's bundle. Errors of ``evidence`` are raised before the first bytes."""
    async with evidence(settings, asked) as found:
        async for chunk in found.chunks():
            yield chunk


async def collect(connection: asyncpg.Connection, asked: Asked) -> Evidence:
    """Open an export in the transaction that is open on ``connection``. Raises as ``evidence`` does."""
    await connection.execute(_SQL["hold"])
    first: int | None = await connection.fetchval(_SQL["first_of_case"], asked.manifest.tag)
    if first is None:
        raise UnknownCase(f"the record holds nothing about case {asked.case}")
    vouched = await newest_cosigned(connection, asked.origin, asked.trust, most=asked.most)
    if vouched is None or not vouched.is_enough:
        raise NothingProven("no checkpoint has a quorum of the trust file's witnesses yet")
    if vouched.opened.head.size <= first:
        raise NothingProven(f"the case begins at offset {first}, after the newest checkpoint with a quorum")
    return Evidence(connection, asked, vouched)


def _entry(row: Any) -> bytes:
    facts = LogEntry(PARTITION, *row[:6])
    try:
        return facts.pack()
    except (ValueError, struct.error) as error:
        raise Spoilt(f"the timeline's row at offset {facts.offset} cannot be encoded as an entry") from error


def _record(row: Any, proofs: Mapping[int, Proof]) -> BundleRecord:
    offset, headers = row["record_offset"], _headers(row["headers"])
    return BundleRecord(offset=offset, key=row["key"], headers=headers, value=row["value"], proof=proofs[offset])


def _headers(packed: bytes) -> Headers:
    try:
        return unpack_headers(packed)
    except NotHeaders:
        # Headers that cannot be decoded differ from the recorded ones. Empty headers make the verifier report that.
        return ()


def _proof(path: Path, read: ReadNode) -> Proof:
    try:
        return build_proof(path, read)
    except LookupError:
        # Nodes are missing: the verifier reports an entry without a proof.
        return ()


def _taken(out: io.BytesIO) -> bytes:
    written = out.getvalue()
    out.seek(0)
    out.truncate()
    return written
