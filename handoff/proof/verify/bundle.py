"""The bundle of a case: all that an auditor needs to check it, in one file that is written and read as a stream.

Members in this order: ``bundle.json`` (what it is), ``checkpoint`` (the note, with cosignatures), any receipts, then
for each 256 entries of the record the entry bundle at its tlog-tiles path, followed by the records among them that
are the case's or the directory's.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handoff.proof.log.entry import case_tag, record_hash
from handoff.proof.log.header_codec import Headers
from handoff.proof.log.merkle import Proof
from handoff.proof.log.tiles import TILE_WIDTH, NotATile, entries_path, pack_entries, unpack_entries
from handoff.proof.verify.archive import ArchiveWriter, Member, NotAnArchive, read_members

FORMAT: Final = "handoff/bundle/v1"
_MANIFEST: Final = "bundle.json"
_CHECKPOINT: Final = "checkpoint"
_RECORD: Final = re.compile(r"record/[0-9]{12,19}\.json")
_CASE_ID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Found = TypeVar("Found", bound=BaseModel)


class NotABundle(Exception):
    """A file that is no bundle of this format, or is damaged: get another."""


class Manifest(BaseModel):
    """What a bundle claims to be: the case, and the record that it stands on."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["handoff/bundle/v1"] = FORMAT
    # A pattern, because it is shown before anything about it has been checked.
    origin: Annotated[str, Field(pattern=r"^handoff/[a-z0-9]{1,30}/record/[0-9]{1,9}$")]
    case: Annotated[str, Field(pattern=_CASE_ID)]

    @property
    def tag(self) -> bytes:
        """The tag of the case's entries."""
        return case_tag(self.case.encode())


class Record(BaseModel):
    """A record as Kafka holds it, and what proves that its entry lies under the checkpoint."""

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
        """Its record hash."""
        return record_hash(self.key, self.value, self.headers)

    @property
    def path(self) -> str:
        """Where it stands in a bundle."""
        return f"record/{self.offset:012}.json"


Tile = tuple[bytes, ...]
"""Up to 256 packed entries in the record's order; all but the last tile are full."""


class BundleWriter:
    """Writes a bundle entry by entry, with at most one tile in memory."""

    def __init__(self, out: BinaryIO, manifest: Manifest, checkpoint: bytes, receipts: Iterable[bytes] = ()) -> None:
        self._archive = ArchiveWriter(out)
        self._number = 0
        self._entries: list[bytes] = []
        self._records: list[Record] = []
        self._archive.add(Member(_MANIFEST, _encode(manifest)))
        self._archive.add(Member(_CHECKPOINT, checkpoint))
        for number, receipt in enumerate(receipts):
            self._archive.add(Member(_receipt_path(number), receipt))

    def add(self, entry: bytes, record: Record | None = None) -> None:
        """The next packed entry of the record, from offset 0 on; ``record`` where it is the case's or directory's."""
        self._entries.append(entry)
        if record is not None:
            self._records.append(record)
        if len(self._entries) == TILE_WIDTH:
            self._flush()

    def close(self) -> None:
        """Writes what is left and the end; the file itself stays open."""
        if self._entries:
            self._flush()
        self._archive.close()

    def _flush(self) -> None:
        path = entries_path(self._number, len(self._entries))
        self._archive.add(Member(path, pack_entries(self._entries)))
        for record in self._records:
            self._archive.add(Member(record.path, _encode(record)))
        self._number += 1
        self._entries.clear()
        self._records.clear()


class BundleReader:
    """Reads a bundle once, from its beginning to its end. Every method raises ``NotABundle``."""

    def __init__(self, source: BinaryIO) -> None:
        self._members = _Members(read_members(source))
        self.manifest: Final = _decode(Manifest, self._members.take(_MANIFEST))
        self.checkpoint: Final = self._members.take(_CHECKPOINT)
        self.receipts: Final = tuple(self._receipts())

    def tiles(self) -> Iterator[tuple[Tile, Iterator[Record]]]:
        """Each tile of entries, and the records that follow it: these are read before the next tile is."""
        number = 0
        while (member := self._members.next) is not None:
            tile = self._tile(member, number)
            yield tile, self._records()
            number += 1
            if len(tile) < TILE_WIDTH and self._members.next is not None:
                raise NotABundle("entries follow a tile that is not full")

    def _tile(self, member: Member, number: int) -> Tile:
        try:
            tile = unpack_entries(member.body)
        except NotATile as error:
            raise NotABundle(f"{member.name!r}: {error}") from error
        self._members.take(entries_path(number, len(tile)))
        return tile

    def _records(self) -> Iterator[Record]:
        while (member := self._members.next) is not None and _RECORD.fullmatch(member.name):
            record = _decode(Record, member.body)
            self._members.take(record.path)
            yield record

    def _receipts(self) -> Iterator[bytes]:
        number = 0
        while self._members.next is not None and self._members.next.name == _receipt_path(number):
            yield self._members.take(_receipt_path(number))
            number += 1


class _Members:
    """The members that are still to come, with a look at the next."""

    def __init__(self, members: Iterator[Member]) -> None:
        self._rest = members
        self.next = self._read()

    def take(self, name: str) -> bytes:
        """What stands under ``name``, which must be the next."""
        member = self.next
        if member is None or member.name != name:
            raise NotABundle(f"{name} is not where it belongs")
        self.next = self._read()
        return member.body

    def _read(self) -> Member | None:
        try:
            return next(self._rest, None)
        except NotAnArchive as error:
            raise NotABundle(str(error)) from error


def wanted_tags(manifest: Manifest, jurisdiction: str) -> tuple[bytes, bytes]:
    """The tags whose records a bundle holds: the directory's and the case's."""
    return case_tag(jurisdiction.encode()), manifest.tag


def _encode(model: BaseModel) -> bytes:
    return model.model_dump_json().encode() + b"\n"


def _decode(model: type[Found], raw: bytes) -> Found:
    """The model in ``raw``, which must be written as here: there is no second way of saying the same."""
    try:
        found = model.model_validate_json(raw)
    except ValidationError as error:
        raise NotABundle(f"not a {model.__name__.lower()} of this format") from error
    if _encode(found) != raw:
        raise NotABundle(f"a {model.__name__.lower()} in a second way of writing it")
    return found


def _receipt_path(number: int) -> str:
    return f"receipt/{number:06}"
