"""What a verifier found: an outcome, the first failure of each kind, and as of what it is complete."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import IntEnum, StrEnum


class Outcome(IntEnum):
    """What may be concluded; also the exit code of ``handoff verify``."""

    GOOD = 0
    TAMPERED = 1
    UNPROVEN = 2


class Check(StrEnum):
    """What is looked at, in the order in which failures are named."""

    TRUST = "trust"
    CHECKPOINT = "checkpoint"
    GENESIS = "genesis"
    SEQUENCE = "sequence"
    ORDER = "order"
    CONTENT = "content"
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


# What an entry shows of itself is named before what the tree shows: whoever relinks a record breaks every inclusion,
# and the promise of every receipt.
_OF_THE_TREE = frozenset({Check.INCLUSION, Check.SKELETON, Check.RECEIPT})


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong, in a sentence; ``outcome`` is what follows from it."""

    check: Check
    sentence: str
    outcome: Outcome = Outcome.TAMPERED


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands: its offset, and its number in the case or in the directory."""

    offset: int
    strand: str | None = None
    number: int | None = None

    def __str__(self) -> str:
        entry = f"entry {self.number} of the {self.strand}, " if self.number is not None else ""
        return f"{entry}offset {self.offset}"


@dataclass(frozen=True, slots=True)
class Failure:
    """An objection, where it was found first, and how many more there are of its kind."""

    objection: Objection
    place: Place | None = None
    more: int = 0

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place is not None else ""
        more = f" (and {self.more} more like it)" if self.more else ""
        return f"{where}{self.objection.check}: {self.objection.sentence}{more}"

    @property
    def line(self) -> str:
        """The same, after what follows from it."""
        return f"{self.objection.outcome.name.lower()}: {self}"

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """Where it comes among others: tampering first, entries before the tree, then by offset."""
        check = self.objection.check
        of_the_tree, unproven = check in _OF_THE_TREE, self.objection.outcome is not Outcome.TAMPERED
        # An entry that does not fit the tree says more than a tree that does not fit.
        has_no_place = self.place is None and of_the_tree
        offset = self.place.offset if self.place is not None else -1
        return unproven, of_the_tree + has_no_place, offset, list(Check).index(check)


@dataclass(slots=True)
class Failures:
    """Failures as they are found, in bounded memory: the first of each kind is kept, the others are counted."""

    found: dict[tuple[Check, Outcome], Failure] = field(default_factory=dict)

    def add(self, objection: Objection, place: Place | None = None) -> None:
        """Takes note of a failure."""
        kind = (objection.check, objection.outcome)
        known = self.found.get(kind)
        self.found[kind] = Failure(objection, place) if known is None else replace(known, more=known.more + 1)

    def ranked(self) -> tuple[Failure, ...]:
        """The first of each kind, the most telling first."""
        return tuple(sorted(self.found.values(), key=lambda failure: failure.rank))


@dataclass(frozen=True, slots=True)
class Report:
    """The verifier's answer. ``cosigned_at``: until when enough witnesses vouched for the head of ``size`` entries."""

    origin: str
    case: str
    size: int | None = None
    cosigned_at: datetime | None = None
    cosigners: tuple[str, ...] = ()
    case_entries: int = 0
    directory_entries: int = 0
    receipts: int = 0
    remarks: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst that was found."""
        outcomes = {failure.objection.outcome for failure in self.failures}
        return next((o for o in (Outcome.TAMPERED, Outcome.UNPROVEN) if o in outcomes), Outcome.GOOD)

    def lines(self) -> Iterator[str]:
        """The answer as text; the first failure is named first, and the last line says how far it reaches."""
        yield f"case {self.case} on {self.origin}"
        yield f"{self.case_entries} entries of the case, {self.directory_entries} of the directory"
        if self.receipts:
            yield f"{self.receipts} receipts"
        yield from self.remarks
        yield from (failure.line for failure in self.failures)
        yield f"cosigned by {', '.join(self.cosigners) or 'nobody whom the trust file names'}"
        yield self.completeness

    @property
    def completeness(self) -> str:
        """As of what size and time the bundle is complete, or is not."""
        size = "an unknown size" if self.size is None else f"size {self.size}"
        at = f"cosigned at {_written(self.cosigned_at)}" if self.cosigned_at else "not cosigned by enough"
        return f"{'' if self.outcome is Outcome.GOOD else 'NOT '}complete as of {size}, {at}"


def _written(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
