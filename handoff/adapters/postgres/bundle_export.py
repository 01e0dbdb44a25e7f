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
from handoff.proof.verify.bundle import BundleRecord, BundleWriter, Manifest, bundle_strands
from handoff.proof.verify.checkpoint_trust import TrustedCheckpoint
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.header_codec import Headers, NotHeaders, unpack_headers

_SQL = statements("bundle_export.sql")
_FETCH_SIZE = 4 * TILE_WIDTH


class UnknownCase(Exception):
    """The record has no entry about this case."""


class NoCheckpointCoversCase(Exception):
    """No checkpoint with a quorum covers the case yet: retry after the next checkpoint."""


class UnencodableRow(Exception):
    """A row that cannot be encoded as an entry: the timeline was manipulated and the bundle cannot be written."""


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """Parameters of an export: case, record, trust policy and maximum number of entries."""

    case: UUID
    origin: Origin
    trust: TrustPolicy
    most: int = MOST

    @property
    def key(self) -> bytes:
        """Record key of the case's entries."""
        return str(self.case).encode()

    def manifest(self, salt: bytes) -> Manifest:
        """Return the manifest of the bundle; ``salt`` is that of the case's tag."""
        return Manifest(origin=str(self.origin), case=str(self.case), salt=salt.hex())


class BundleExport:
    """Export of one case in a snapshot. ``checkpoint`` is the newest checkpoint that satisfies the trust policy.

    ``done`` counts the written entries, out of ``size``.
    """

    def __init__(
        self, connection: asyncpg.Connection, request: BundleRequest, checkpoint: TrustedCheckpoint, salt: bytes
    ) -> None:
        self._connection = connection
        self._salt = salt
        self._tree = Tree(connection)
        self._request = request
        self.checkpoint = checkpoint
        self.done = 0

    @property
    def size(self) -> int:
        """Number of entries under the checkpoint."""
        return self.checkpoint.opened.head.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bundle's bytes. Single use. Raises ``UnencodableRow``."""
        out = io.BytesIO()
        note, manifest = str(self.checkpoint.opened.note).encode(), self._request.manifest(self._salt)
        writer = BundleWriter(out, manifest, note, await self._receipts())
        async for rows in self._tiles(manifest):
            entries = [_entry(row) for row in rows]
            proofs = await self._proofs(rows)
            for row, entry in zip(rows, entries, strict=True):
                writer.add(entry, _record(row, proofs) if row["wanted"] else None)
            self.done += len(rows)
            yield _drain(out)
        writer.close()
        yield _drain(out)

    async def _receipts(self) -> list[bytes]:
        rows = await self._connection.fetch(_SQL["receipts"], self._request.key, self.size)
        return [row["note"].encode() for row in rows]

    async def _tiles(self, manifest: Manifest) -> AsyncIterator[list[Any]]:
        """Yield the rows of each tile. A deleted row leaves its tile short."""
        genesis_hash = self.checkpoint.log.genesis_hash
        strands = bundle_strands(manifest, self._request.origin.jurisdiction, genesis_hash)
        tags = [strand.tag for strand in strands]
        cursor = await self._connection.cursor(_SQL["entries"], self.size, tags)
        rest: list[Any] = []
        while fetched := await cursor.fetch(_FETCH_SIZE):
            *whole, rest = [list(rows) for _, rows in groupby([*rest, *fetched], key=lambda row: row[0] // TILE_WIDTH)]
            for rows in whole:
                yield rows
        if rest:
            yield rest

    async def _proofs(self, rows: list[Any]) -> Mapping[int, Proof]:
        offsets = (row["record_offset"] for row in rows if row["wanted"])
        paths = {offset: inclusion_path(offset, self.size) for offset in offsets}
        read = await self._tree.reader(required_nodes(paths.values()))
        return {offset: _proof(path, read) for offset, path in paths.items()}


@asynccontextmanager
async def open_export(settings: PostgresSettings, request: BundleRequest) -> AsyncIterator[BundleExport]:
    """Open an export in a snapshot of its own; ``settings`` log in as the timeline's reader.

    Raises ``UnknownCase``, ``NoCheckpointCoversCase``, ``UnknownLog`` and the database's own errors.
    """
    connection = await connect(settings, patience=None)
    try:
        await connection.execute(_SQL["be_patient"])
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield await start_export(connection, request)
    finally:
        connection.terminate()


async def bundle(settings: PostgresSettings, request: BundleRequest) -> AsyncIterator[bytes]:
    """Yield a case's bundle. Errors of ``open_export`` are raised before the first bytes."""
    async with open_export(settings, request) as export:
        async for chunk in export.chunks():
            yield chunk


async def start_export(connection: asyncpg.Connection, request: BundleRequest) -> BundleExport:
    """Open an export in the transaction that is open on ``connection``. Raises as ``open_export`` does."""
    await connection.execute(_SQL["hold"])
    beginning = await connection.fetchrow(_SQL["first_of_case"], request.key)
    if beginning is None:
        raise UnknownCase(f"the record holds nothing about case {request.case}")
    checkpoint = await newest_cosigned(connection, request.origin, request.trust, most=request.most)
    if checkpoint is None or not checkpoint.is_enough:
        raise NoCheckpointCoversCase("no checkpoint has a quorum of the trust file's witnesses and the monitor yet")
    first, salt = beginning
    if checkpoint.opened.head.size <= first:
        raise NoCheckpointCoversCase(f"the case begins at offset {first}, after the newest checkpoint with a quorum")
    return BundleExport(connection, request, checkpoint, salt)


def _entry(row: Any) -> bytes:
    entry = LogEntry(PARTITION, *row[:6])
    try:
        return entry.pack()
    except (ValueError, struct.error) as error:
        raise UnencodableRow(f"the timeline's row at offset {entry.offset} cannot be encoded as an entry") from error


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


def _drain(out: io.BytesIO) -> bytes:
    written = out.getvalue()
    out.seek(0)
    out.truncate()
    return written
