"""Case bundle: one streamed file with everything an auditor needs to verify a case.

Members in this order: ``bundle.json`` (manifest), ``checkpoint`` (note with cosignatures), receipts if any, then
for every 256 entries of the record the entry bundle at its tlog-tiles path, followed by those of its records that
belong to the case or to the directory.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, BinaryIO, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handoff.proof.log.entry import case_tag, record_hash
from handoff.proof.log.merkle import Proof
from handoff.proof.log.tiles import TILE_WIDTH, NotATile, entries_path, pack_entries, unpack_entries
from handoff.proof.verify.archive import ArchiveMember, ArchiveWriter, NotAnArchive, read_members
from handoff.record import formats
from handoff.record.events.base import Sha256
from handoff.record.header_codec import Headers

_MANIFEST: Final = "bundle.json"
_CHECKPOINT: Final = "checkpoint"
_RECORD: Final = re.compile(r"record/[0-9]{12,19}\.json")
_CASE_ID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

ModelT = TypeVar("ModelT", bound=BaseModel)


class NotABundle(Exception):
    """A file that is not a bundle of this format, or is damaged: request it again."""


@dataclass(frozen=True, slots=True)
class StrandKey:
    """Record key of a strand, and the salt of its tag: the SHA-256 of the value of its first entry."""

    key: bytes
    salt: bytes

    @property
    def tag(self) -> bytes:
        """Tag of the strand's entries."""
        return case_tag(self.key, self.salt)


class Manifest(BaseModel):
    """Manifest of a bundle: its case, the salt of that case's tag, and the origin of its record.

    Nothing in it is trusted before verification.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["handoff/bundle/v2"] = formats.BUNDLE
    # A pattern, because the value is displayed before verification.
    origin: Annotated[str, Field(pattern=r"^handoff/[a-z0-9]{1,30}/record/[0-9]{1,9}$")]
    case: Annotated[str, Field(pattern=_CASE_ID)]
    salt: Sha256

    @property
    def strand(self) -> StrandKey:
        """Record key and salt of the case's entries."""
        return StrandKey(self.case.encode(), bytes.fromhex(self.salt))


class BundleRecord(BaseModel):
    """A record as Kafka holds it, with the inclusion proof of its entry."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, ser_json_bytes="base64", val_json_bytes="base64"
    )

    offset: Annotated[int, Field(ge=0, lt=2**63)]
    key: bytes | None
    headers: Headers
    value: bytes | None
    proof: Proof

    @property
    def hash(self) -> bytes:
        """Record hash."""
        return record_hash(self.key, self.value, self.headers)

    @property
    def path(self) -> str:
        """Member name in a bundle."""
        return f"record/{self.offset:012}.json"


EntryTile = tuple[bytes, ...]
"""Up to 256 packed entries in the record's order. All tiles but the last are full."""


class BundleWriter:
    """Writer of a bundle, entry by entry, with at most one tile in memory."""

    def __init__(self, out: BinaryIO, manifest: Manifest, checkpoint: bytes, receipts: Iterable[bytes] = ()) -> None:
        self._archive = ArchiveWriter(out)
        self._number = 0
        self._entries: list[bytes] = []
        self._records: list[BundleRecord] = []
        self._archive.add(ArchiveMember(_MANIFEST, _encode(manifest)))
        self._archive.add(ArchiveMember(_CHECKPOINT, checkpoint))
        for number, receipt in enumerate(receipts):
            self._archive.add(ArchiveMember(_receipt_path(number), receipt))

    def add(self, entry: bytes, record: BundleRecord | None = None) -> None:
        """Add the next packed entry, with its ``record`` if that belongs to the case or the directory."""
        self._entries.append(entry)
        if record is not None:
            self._records.append(record)
        if len(self._entries) == TILE_WIDTH:
            self._flush()

    def close(self) -> None:
        """Write the last tile and the end marker. The underlying file stays open."""
        if self._entries:
            self._flush()
        self._archive.close()

    def _flush(self) -> None:
        path = entries_path(self._number, len(self._entries))
        self._archive.add(ArchiveMember(path, pack_entries(self._entries)))
        for record in self._records:
            self._archive.add(ArchiveMember(record.path, _encode(record)))
        self._number += 1
        self._entries.clear()
        self._records.clear()


class BundleReader:
    """Single-pass reader of a bundle. Every method raises ``NotABundle``."""

    def __init__(self, source: BinaryIO) -> None:
        self._members = _Members(read_members(source))
        self.manifest: Final = _decode(Manifest, self._members.take(_MANIFEST))
        self.checkpoint: Final = self._members.take(_CHECKPOINT)
        self.receipts: Final = tuple(self._receipts())

    def tiles(self) -> Iterator[tuple[EntryTile, Iterator[BundleRecord]]]:
        """Yield each tile of entries with an iterator of its records. Consume the records before the next tile."""
        number = 0
        while (member := self._members.next) is not None:
            tile = self._tile(member, number)
            yield tile, self._records()
            number += 1
            if len(tile) < TILE_WIDTH and self._members.next is not None:
                raise NotABundle("entries follow a partial tile")

    def _tile(self, member: ArchiveMember, number: int) -> EntryTile:
        try:
            tile = unpack_entries(member.body)
        except NotATile as error:
            raise NotABundle(f"{member.name!r}: {error}") from error
        self._members.take(entries_path(number, len(tile)))
        return tile

    def _records(self) -> Iterator[BundleRecord]:
        while (member := self._members.next) is not None and _RECORD.fullmatch(member.name):
            record = _decode(BundleRecord, member.body)
            self._members.take(record.path)
            yield record

    def _receipts(self) -> Iterator[bytes]:
        number = 0
        while self._members.next is not None and self._members.next.name == _receipt_path(number):
            yield self._members.take(_receipt_path(number))
            number += 1


class _Members:
    """The remaining archive members, with a look-ahead of one."""

    def __init__(self, members: Iterator[ArchiveMember]) -> None:
        self._rest = members
        self.next = self._read()

    def take(self, name: str) -> bytes:
        """Return the content of the next member, which must be named ``name``."""
        member = self.next
        if member is None or member.name != name:
            raise NotABundle(f"expected the member {name} here")
        self.next = self._read()
        return member.body

    def _read(self) -> ArchiveMember | None:
        try:
            return next(self._rest, None)
        except NotAnArchive as error:
            raise NotABundle(str(error)) from error


def bundle_strands(manifest: Manifest, jurisdiction: str, genesis_hash: str) -> tuple[StrandKey, StrandKey]:
    """Return the strands that a bundle contains: the directory, which begins with the founding event, and the case."""
    return StrandKey(jurisdiction.encode(), bytes.fromhex(genesis_hash)), manifest.strand


def _encode(model: BaseModel) -> bytes:
    return model.model_dump_json().encode() + b"\n"


def _decode(model: type[ModelT], raw: bytes) -> ModelT:
    """Parse ``raw``, which must be the canonical encoding."""
    try:
        found = model.model_validate_json(raw)
    except ValidationError as error:
        raise NotABundle(f"not a {model.__name__.lower()} of this format") from error
    if _encode(found) != raw:
        raise NotABundle(f"a {model.__name__.lower()} is not in canonical form")
    return found


def _receipt_path(number: int) -> str:
    return f"receipt/{number:06}"
