"""Report of the verifier: conclusion, first finding of each kind, and the size up to which the bundle is complete."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import IntEnum, StrEnum


class Conclusion(IntEnum):
    """Conclusion of a verification; also the exit code of ``handoff verify``."""

    PROVEN = 0
    TAMPERED = 1
    NOT_PROVABLE = 2

    @property
    def code(self) -> str:
        """The conclusion in a JSON document."""
        return self.name.lower()

    def __str__(self) -> str:
        return self.code.replace("_", " ")


class Check(StrEnum):
    """Checks, in the order in which findings are reported."""

    TRUST = "trust"
    CHECKPOINT = "checkpoint"
    GENESIS = "genesis"
    SEQUENCE = "sequence"
    ORDER = "order"
    CONTENT = "content"
    RECORD_TIME = "record time"
    SIGNATURE = "signature"
    KEY = "key"
    CASE_LINK = "case link"
    WITHHELD = "withheld"
    STRAY = "stray"
    INCLUSION = "inclusion"
    SKELETON = "skeleton"
    RECEIPT = "receipt"
    COSIGNATURES = "cosignatures"
    AGE = "age"
    UNREADABLE = "unreadable"
    REDACTED = "redacted"


# Findings about an entry itself precede findings about the tree: relinking a record breaks every inclusion proof
# and every receipt.
_OF_THE_TREE = frozenset({Check.INCLUSION, Check.SKELETON, Check.RECEIPT})


@dataclass(frozen=True, slots=True)
class VerificationFinding:
    """One fault, in a sentence, and the conclusion it implies."""

    check: Check
    sentence: str
    conclusion: Conclusion = Conclusion.TAMPERED


@dataclass(frozen=True, slots=True)
class EntryLocation:
    """Location of an entry: offset, and its number in the case or in the directory."""

    offset: int
    strand: str | None = None
    number: int | None = None

    def __str__(self) -> str:
        entry = f"entry {self.number} of the {self.strand}, " if self.number is not None else ""
        return f"{entry}offset {self.offset}"


@dataclass(frozen=True, slots=True)
class FindingSummary:
    """A finding, its first location, and the number of further findings of its kind."""

    finding: VerificationFinding
    place: EntryLocation | None = None
    more: int = 0

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place is not None else ""
        more = f" (and {self.more} more like it)" if self.more else ""
        return f"{where}{self.finding.check}: {self.finding.sentence}{more}"

    @property
    def line(self) -> str:
        """The summary as text, preceded by its conclusion."""
        return f"{self.finding.conclusion}: {self}"

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """Sort key: tampering first, entries before the tree, then by offset."""
        check = self.finding.check
        of_the_tree, not_provable = check in _OF_THE_TREE, self.finding.conclusion is not Conclusion.TAMPERED
        # A located mismatch with the tree is more specific than a mismatch of the root.
        has_no_place = self.place is None and of_the_tree
        offset = self.place.offset if self.place is not None else -1
        return not_provable, of_the_tree + has_no_place, offset, list(Check).index(check)


@dataclass(slots=True)
class Findings:
    """Findings in bounded memory: the first of each kind, and a count of the others."""

    found: dict[tuple[Check, Conclusion], FindingSummary] = field(default_factory=dict)

    def add(self, finding: VerificationFinding, place: EntryLocation | None = None) -> None:
        """Record a finding."""
        kind = (finding.check, finding.conclusion)
        known = self.found.get(kind)
        self.found[kind] = FindingSummary(finding, place) if known is None else replace(known, more=known.more + 1)

    def ranked(self) -> tuple[FindingSummary, ...]:
        """Return one summary of each kind, most significant first."""
        return tuple(sorted(self.found.values(), key=lambda failure: failure.rank))


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """Result of a verification. ``cosigned_at`` is the latest time of a quorum on the head of ``size``."""

    origin: str
    case: str
    size: int | None = None
    cosigned_at: datetime | None = None
    cosigners: tuple[str, ...] = ()
    case_entries: int = 0
    directory_entries: int = 0
    receipts: int = 0
    remarks: tuple[str, ...] = ()
    failures: tuple[FindingSummary, ...] = ()

    @property
    def conclusion(self) -> Conclusion:
        """The worst conclusion among the findings."""
        conclusions = {failure.finding.conclusion for failure in self.failures}
        return next((o for o in (Conclusion.TAMPERED, Conclusion.NOT_PROVABLE) if o in conclusions), Conclusion.PROVEN)

    def lines(self) -> Iterator[str]:
        """Yield the report as text: first the verdict, last the size up to which the bundle is complete."""
        yield str(self.conclusion)
        yield f"case {self.case} on {self.origin}"
        yield f"{self.case_entries} entries of the case, {self.directory_entries} of the directory"
        if self.receipts:
            yield f"{self.receipts} receipts"
        yield from self.remarks
        yield from (failure.line for failure in self.failures)
        yield f"cosigned by {', '.join(self.cosigners) or 'no witness of the trust file'}"
        yield self.completeness

    @property
    def completeness(self) -> str:
        """Statement of completeness: size and time of the checkpoint."""
        size = "an unknown size" if self.size is None else f"size {self.size}"
        at = f"cosigned at {_written(self.cosigned_at)}" if self.cosigned_at else "without a quorum of cosignatures"
        return f"{'' if self.conclusion is Conclusion.PROVEN else 'NOT '}complete as of {size}, {at}"


def _written(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
