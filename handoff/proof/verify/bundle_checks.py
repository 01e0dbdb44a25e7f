"""The walk along a bundle: every entry of the record once, in order, and of two strands of it everything.

A strand is what the record holds under one key: here the case, and the directory that says whose keys were in force.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from handoff.proof.log.checkpoint import Head
from handoff.proof.log.entry import NO_PREVIOUS, Entry, NotAnEntry, case_tag, leaf_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import NotProven, verify_inclusion
from handoff.proof.verify.authorship import Authors, Disowned
from handoff.proof.verify.bundle import Record, Tile
from handoff.proof.verify.report import Check, Failures, Objection, Outcome, Place

PARTITION = 0
"""A record has one partition."""


@dataclass(slots=True)
class Strand:
    """One key's entries, as far as they have been read."""

    name: str
    tag: bytes
    count: int = 0
    last_leaf: bytes = NO_PREVIOUS


@dataclass(frozen=True, slots=True)
class Expected:
    """An entry of a strand whose record is to come: what the strand was before it, and the record time."""

    entry: Entry
    leaf: bytes
    place: Place
    index: int
    previous_leaf: bytes
    record_ms: int


@dataclass(slots=True)
class Walk:
    """What has been read and found so far; ``receipts`` gathers where the asked-for record hashes stand first."""

    head: Head
    authors: Authors
    strands: dict[bytes, Strand]
    receipts: dict[bytes, int | None]
    failures: Failures
    remarks: list[str] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    record_ms: int = 0
    expected: deque[Expected] = field(default_factory=deque)

    def take(self, tile: Tile, records: Iterator[Record]) -> None:
        """Reads one tile, and the records that belong to its entries."""
        leaves = [leaf_hash(packed) for packed in tile]
        for index, (packed, leaf) in enumerate(zip(tile, leaves, strict=True), self.frontier.size):
            self._place(index, packed, leaf)
        self.frontier, _ = self.frontier.extended(leaves)
        for record in records:
            self._match(record)
        self._withhold_before(None)

    def finish(self) -> None:
        """Looks at what only the end shows."""
        if not self.authors.keyring.founded:
            self.failures.add(Objection(Check.GENESIS, "the founding event that the trust file names is not there"))
        if self.frontier.size != self.head.size:
            sentence = f"it holds {self.frontier.size} of the {self.head.size} entries under the checkpoint"
            self.failures.add(Objection(Check.SKELETON, sentence))
        elif self.frontier.root != self.head.root:
            self.failures.add(Objection(Check.SKELETON, "its entries do not give the checkpoint's root"))

    def _place(self, index: int, packed: bytes, leaf: bytes) -> None:
        try:
            entry = Entry.unpack(packed)
        except NotAnEntry as error:
            self.failures.add(Objection(Check.SKELETON, str(error)), Place(index))
            return
        self.record_ms = max(self.record_ms, entry.appended_ms)
        if entry.record_hash in self.receipts and self.receipts[entry.record_hash] is None:
            self.receipts[entry.record_hash] = index
        strand = self.strands.get(entry.case_tag)
        if strand is not None:
            self._expect(strand, index, entry, leaf)
        elif (objection := _order(index, entry)) is not None:
            self.failures.add(objection, Place(index))

    def _expect(self, strand: Strand, index: int, entry: Entry, leaf: bytes) -> None:
        strand.count += 1
        place = Place(index, strand.name, strand.count)
        self.expected.append(Expected(entry, leaf, place, index, strand.last_leaf, self.record_ms))
        strand.last_leaf = leaf

    def _match(self, record: Record) -> None:
        self._withhold_before(record.offset)
        if self.expected and self.expected[0].index == record.offset:
            self._check(self.expected.popleft(), record)
        else:
            sentence = "a record that is neither the case's nor the directory's, or comes twice"
            self.failures.add(Objection(Check.STRAY, sentence), Place(record.offset))

    def _withhold_before(self, offset: int | None) -> None:
        while self.expected and (offset is None or self.expected[0].index < offset):
            missing = self.expected.popleft()
            self.failures.add(
                Objection(Check.WITHHELD, "the record has this entry, the bundle lacks it"), missing.place
            )

    def _check(self, expected: Expected, record: Record) -> None:
        objection = _most_telling(self._objections(expected, record))
        if objection is not None:
            self.failures.add(objection, expected.place)

    def _objections(self, expected: Expected, record: Record) -> Iterator[Objection]:
        entry = expected.entry
        if entry.sequence != expected.place.number:
            yield Objection(Check.SEQUENCE, f"it is number {entry.sequence} by its own count")
        if (objection := _order(expected.index, entry)) is not None:
            yield objection
        if record.hash != entry.record_hash or case_tag(record.key) != entry.case_tag:
            yield Objection(Check.CONTENT, "key, value or headers are not those that were recorded")
        yield from self._authorship(expected, record)
        if entry.previous_leaf != expected.previous_leaf:
            yield Objection(Check.CASE_LINK, "it does not follow the entry before it")
        yield from _inclusion(expected, record, self.head)

    def _authorship(self, expected: Expected, record: Record) -> Iterator[Objection]:
        try:
            remark = self.authors.hear(record, expected.record_ms)
        except Disowned as disowned:
            yield disowned.objection
        else:
            self.remarks.extend([remark] if remark is not None else [])


def _most_telling(objections: Iterator[Objection]) -> Objection | None:
    """The first that shows tampering, else the first: what cannot be checked must not hide what is wrong."""
    first = None
    for objection in objections:
        if objection.outcome is Outcome.TAMPERED:
            return objection
        first = first or objection
    return first


def _order(index: int, entry: Entry) -> Objection | None:
    if (entry.partition, entry.offset) == (PARTITION, index):
        return None
    return Objection(Check.ORDER, f"the entry of partition {entry.partition}, offset {entry.offset} stands here")


def _inclusion(expected: Expected, record: Record, head: Head) -> Iterator[Objection]:
    if not record.proof and head.size > 1:
        yield Objection(Check.INCLUSION, "no proof comes with it that it lies under the checkpoint", Outcome.UNPROVEN)
        return
    try:
        verify_inclusion(expected.index, head.size, expected.leaf, record.proof, head.root)
    except NotProven as error:
        yield Objection(Check.INCLUSION, f"it does not lie under the checkpoint: {error}")
