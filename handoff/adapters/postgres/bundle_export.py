"""The evidence for a case, out of the timeline's database: its bundle, written while it is read, in flat memory.

All of it is read in one snapshot and given as it stands: what somebody changed there is left for the verifier to name.
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

from handoff.adapters.postgres.checkpoints import MOST, newest_vouched
from handoff.adapters.postgres.named_statements import statements
from handoff.adapters.postgres.timeline_store import connect
from handoff.adapters.postgres.tree_reader import Tree
from handoff.config import PostgresSettings
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.entry import LogEntry
from handoff.proof.log.header_codec import Headers, NotHeaders, unpack_headers
from handoff.proof.log.merkle import Proof
from handoff.proof.log.tiles import TILE_WIDTH
from handoff.proof.log.tree_proofs import Path, ReadNode, build_proof, inclusion_path, required_nodes
from handoff.proof.verify.bundle import BundleRecord, BundleWriter, Manifest, bundle_tags
from handoff.proof.verify.bundle_checks import PARTITION
from handoff.proof.verify.checkpoint_trust import TrustedCheckpoint
from handoff.proof.verify.trust import TrustPolicy

_SQL = statements("bundle_export.sql")
_AT_ONCE = 4 * TILE_WIDTH


class UnknownCase(Exception):
    """The record holds nothing about the case: ask for another."""


class NothingProven(Exception):
    """No checkpoint that enough have cosigned reaches the case yet: ask again after the next one."""


class Spoilt(Exception):
    """A row that can be no entry: somebody changed the timeline, and what is left cannot be written down."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose bundle is wanted, of which record, for whose trust, and of how many entries at most."""

    case: UUID
    origin: Origin
    trust: TrustPolicy
    most: int = MOST

    @property
    def manifest(self) -> Manifest:
        """What the bundle will claim to be."""
        return Manifest(origin=str(self.origin), case=str(self.case))


class Evidence:
    """A case's bundle in a snapshot. ``vouched``: the newest checkpoint that contents the trust file.

    ``done`` counts the entries that have been written, of ``size``.
    """

    def __init__(self, connection: asyncpg.Connection, asked: Asked, vouched: TrustedCheckpoint) -> None:
        self._connection = connection
        self._tree = Tree(connection)
        self._asked = asked
        self.vouched = vouched
        self.done = 0

    @property
    def size(self) -> int:
        """How many entries the checkpoint covers."""
        return self.vouched.opened.head.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bundle's bytes, once. Raises ``Spoilt``."""
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
        """The rows of one tile after the other; a row that was dropped leaves its tile short."""
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
    """The evidence for a case, in a snapshot of its own; ``settings`` log in as the timeline's reader.

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
    """A case's bundle as a stream; what ``evidence`` raises comes before its first bytes."""
    async with evidence(settings, asked) as found:
        async for chunk in found.chunks():
            yield chunk


async def collect(connection: asyncpg.Connection, asked: Asked) -> Evidence:
    """The evidence as the transaction that is open on ``connection`` sees it. Raises as ``evidence`` does."""
    await connection.execute(_SQL["hold"])
    first: int | None = await connection.fetchval(_SQL["first_of_case"], asked.manifest.tag)
    if first is None:
        raise UnknownCase(f"the record holds nothing about case {asked.case}")
    vouched = await newest_vouched(connection, asked.origin, asked.trust, most=asked.most)
    if vouched is None or not vouched.is_enough:
        raise NothingProven("no checkpoint has been cosigned by enough of those whom the trust file names")
    if vouched.opened.head.size <= first:
        raise NothingProven(f"the case begins at offset {first}, and what is cosigned ends before it")
    return Evidence(connection, asked, vouched)


def _entry(row: Any) -> bytes:
    facts = LogEntry(PARTITION, *row[:6])
    try:
        return facts.pack()
    except (ValueError, struct.error) as error:
        raise Spoilt(f"the timeline's row at offset {facts.offset} can be no entry") from error


def _record(row: Any, proofs: Mapping[int, Proof]) -> BundleRecord:
    offset, headers = row["record_offset"], _headers(row["headers"])
    return BundleRecord(offset=offset, key=row["key"], headers=headers, value=row["value"], proof=proofs[offset])


def _headers(packed: bytes) -> Headers:
    try:
        return unpack_headers(packed)
    except NotHeaders:
        # What does not read as headers is not what was recorded, and none at all shows as much.
        return ()


def _proof(path: Path, read: ReadNode) -> Proof:
    try:
        return build_proof(path, read)
    except LookupError:
        # Hashes are gone: an entry without a proof is one that the verifier names.
        return ()


def _taken(out: io.BytesIO) -> bytes:
    written = out.getvalue()
    out.seek(0)
    out.truncate()
    return written
