"""Checks of a bundle's entries and records in one pass, in the record's order.

A strand is the sequence of entries with one record key. A bundle holds two completely: the case, and the directory,
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.entry import NO_PREVIOUS, PARTITION, LogEntry, MalformedEntry, leaf_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import NotProven, verify_inclusion
from handoff.proof.verify.authorship import AuthorshipCheck, AuthorshipRejected
from handoff.proof.verify.bundle import BundleRecord, EntryTile, StrandKey
from handoff.proof.verify.report import Check, Conclusion, EntryLocation, Findings, VerificationFinding
from handoff.record.record_time import BOUND_MS, counted_ms
from handoff.record.redaction import Redaction, original_hash

DIRECTORY, CASE = "directory", "case"
"""Names of the strands of a bundle."""

_NOT_ORDERED = VerificationFinding(
    Check.REDACTED, "its value was replaced with a stub, and no order of the coordinator to redact it is on the record"
)


@dataclass(slots=True)
class Strand:
    """Progress over the entries with one record key."""

    name: str
    key: StrandKey
    count: int = 0
    last_leaf: bytes = NO_PREVIOUS


@dataclass(frozen=True, slots=True)
class ExpectedRecord:
    """An entry of a strand whose record must follow; the strand's previous leaf hash and the record time there."""

    strand: StrandKey
    entry: LogEntry
    leaf: bytes
    place: EntryLocation
    index: int
    previous_leaf: bytes
    record_ms: int


@dataclass(slots=True)
class BundleScan:
    """State of the pass. ``receipts`` maps each promised record hash to the first index at which it was found."""

    head: TreeHead
    authors: AuthorshipCheck
    strands: dict[bytes, Strand]
    receipts: dict[bytes, int | None]
    failures: Findings
    remarks: list[str] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    record_ms: int = 0
    expected: deque[ExpectedRecord] = field(default_factory=deque)
    stubs: list[tuple[EntryLocation, Redaction, VerificationFinding]] = field(default_factory=list)
    """Redacted entries whose order by the coordinator follows later in the directory, if it exists."""

    def take(self, tile: EntryTile, records: Iterator[BundleRecord]) -> None:
        """Check one tile and the records of its entries."""
        leaves = [leaf_hash(packed) for packed in tile]
        for index, (packed, leaf) in enumerate(zip(tile, leaves, strict=True), self.frontier.size):
            self._place(index, packed, leaf)
        self.frontier, _ = self.frontier.extended(leaves)
        for record in records:
            self._match(record)
        self._withhold_before(None)

    def finish(self) -> None:
        """Check size, root, founding event, the presence of the case and orders to redact at the end of the bundle."""
        # Without an entry the salt is unchecked: the case could be in the record under its true tag.
        if any(not strand.count for strand in self.strands.values() if strand.name == CASE):
            sentence = "no entry has the tag of the case: its salt or its first entry was altered"
            self.failures.add(VerificationFinding(Check.WITHHELD, sentence))
        self._check_orders()
        if not self.authors.keyring.founded:
            self.failures.add(
                VerificationFinding(Check.GENESIS, "the founding event named in the trust file is missing")
            )
        if self.frontier.size != self.head.size:
            sentence = f"the bundle has {self.frontier.size} of the checkpoint's {self.head.size} entries"
            self.failures.add(VerificationFinding(Check.SKELETON, sentence))
        elif self.frontier.root != self.head.root:
            self.failures.add(
                VerificationFinding(Check.SKELETON, "the root of its entries differs from the checkpoint's root")
            )

    def _place(self, index: int, packed: bytes, leaf: bytes) -> None:
        try:
            entry = LogEntry.unpack(packed)
        except MalformedEntry as error:
            self.failures.add(VerificationFinding(Check.SKELETON, str(error)), EntryLocation(index))
            return
        self.record_ms = max(self.record_ms, entry.appended_ms)
        if entry.record_hash in self.receipts and self.receipts[entry.record_hash] is None:
            self.receipts[entry.record_hash] = index
        strand = self.strands.get(entry.case_tag)
        if strand is not None:
            self._expect(strand, index, entry, leaf)
        elif (finding := _order(index, entry)) is not None:
            self.failures.add(finding, EntryLocation(index))

    def _expect(self, strand: Strand, index: int, entry: LogEntry, leaf: bytes) -> None:
        strand.count += 1
        place = EntryLocation(index, strand.name, strand.count)
        self.expected.append(ExpectedRecord(strand.key, entry, leaf, place, index, strand.last_leaf, self.record_ms))
        strand.last_leaf = leaf

    def _match(self, record: BundleRecord) -> None:
        self._withhold_before(record.offset)
        if self.expected and self.expected[0].index == record.offset:
            self._check(self.expected.popleft(), record)
        else:
            sentence = "a record that belongs to neither the case nor the directory, or is repeated"
            self.failures.add(VerificationFinding(Check.STRAY, sentence), EntryLocation(record.offset))

    def _withhold_before(self, offset: int | None) -> None:
        while self.expected and (offset is None or self.expected[0].index < offset):
            missing = self.expected.popleft()
            self.failures.add(
                VerificationFinding(Check.WITHHELD, "the bundle lacks the record of this entry"), missing.place
            )

    def _check(self, expected: ExpectedRecord, record: BundleRecord) -> None:
        finding = _most_telling(self._findings(expected, record))
        redaction = Redaction.found(record.value)
        if finding is not None and finding.check is Check.REDACTED and redaction is not None:
            self.stubs.append((expected.place, redaction, finding))
        elif finding is not None:
            self.failures.add(finding, expected.place)

    def _check_orders(self) -> None:
        for place, redaction, finding in self.stubs:
            is_ordered = (place.offset, redaction) in self.authors.redactions
            self.failures.add(finding if is_ordered else _NOT_ORDERED, place)

    def _findings(self, expected: ExpectedRecord, record: BundleRecord) -> Iterator[VerificationFinding]:
        entry = expected.entry
        if entry.sequence != expected.place.number:
            yield VerificationFinding(Check.SEQUENCE, f"its own sequence number is {entry.sequence}")
        if (finding := _order(expected.index, entry)) is not None:
            yield finding
        if record.hash != entry.record_hash or record.key != expected.strand.key:
            yield VerificationFinding(Check.CONTENT, "key, value or headers differ from the recorded ones")
        elif expected.place.number == 1 and original_hash(record.value) != expected.strand.salt:
            yield VerificationFinding(Check.CONTENT, "the tag of its entries is not salted with its value")
        elif counted_ms(entry.appended_ms, record.headers) != entry.appended_ms:
            sentence = f"its time is more than {BOUND_MS // 1000} s after the time that the exchange stamped on it"
            yield VerificationFinding(Check.RECORD_TIME, sentence)
        yield from self._authorship(expected, record)
        if entry.previous_leaf != expected.previous_leaf:
            yield VerificationFinding(Check.CASE_LINK, "its previous leaf hash is not that of the entry before it")
        yield from _inclusion(expected, record, self.head)

    def _authorship(self, expected: ExpectedRecord, record: BundleRecord) -> Iterator[VerificationFinding]:
        try:
            remark = self.authors.check(record, expected.record_ms)
        except AuthorshipRejected as disowned:
            yield disowned.finding
        else:
            self.remarks.extend([remark] if remark is not None else [])


def _most_telling(findings: Iterator[VerificationFinding]) -> VerificationFinding | None:
    """Return the first finding of tampering, else the first: an unprovable finding must not mask a proven fault."""
    first = None
    for finding in findings:
        if finding.conclusion is Conclusion.TAMPERED:
            return finding
        first = first or finding
    return first


def _order(index: int, entry: LogEntry) -> VerificationFinding | None:
    if (entry.partition, entry.offset) == (PARTITION, index):
        return None
    return VerificationFinding(
        Check.ORDER, f"expected the entry of this offset, found partition {entry.partition}, offset {entry.offset}"
    )


def _inclusion(expected: ExpectedRecord, record: BundleRecord, head: TreeHead) -> Iterator[VerificationFinding]:
    if not record.proof and head.size > 1:
        yield VerificationFinding(Check.INCLUSION, "its inclusion proof is missing", Conclusion.NOT_PROVABLE)
        return
    try:
        verify_inclusion(expected.index, head.size, expected.leaf, record.proof, head.root)
    except NotProven as error:
        yield VerificationFinding(Check.INCLUSION, f"its inclusion is not proven: {error}")
