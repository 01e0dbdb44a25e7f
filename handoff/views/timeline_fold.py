"""The timeline as folded from the record: each entry with its hashes and its verdict, and what changed by it.

It judges for itself, by the same function as the exchange, and takes nobody's word for a verdict.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from handoff.domain.case import Case, Situation
from handoff.domain.directory import Directory
from handoff.domain.examine import Entry, Examined, examine
from handoff.domain.rules import ALREADY
from handoff.proof.log import entry as proof
from handoff.record import signing
from handoff.record.codes import IneffectiveReason, State
from handoff.record.delivery import Verdict, VerdictKind, from_ms
from handoff.record.envelope import EXCHANGE, Event
from handoff.views.handoffs import Handoff, changed_handoffs, merged

PARTITION = 0
"""One partition, one tree, one total order."""

Identity = tuple[str, UUID]
"""Subject and id of an event: the first entry with both counts."""

_COUNTING = frozenset({VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE})
# What the exchange says can be overtaken before it lands: the state moved on, or a deadline's timer ran early.
_OVERTAKEN = frozenset(State) - {State.ABSENT} | {IneffectiveReason.TOO_EARLY, ALREADY}


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether an entry's signature is that of ``public_key``, worked out ahead of its turn."""

    public_key: bytes
    genuine: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry as read, at its offset, with the broker's append time in milliseconds."""

    offset: int
    appended_ms: int
    entry: Entry
    checked: Checked | None = None

    @property
    def tag(self) -> bytes:
        """The tag of its record key."""
        return proof.case_tag(self.entry.message.key)

    @property
    def identity(self) -> Identity | None:
        """Its event's subject and id; None if it holds no event."""
        event = self.entry.event
        return (event.subject, event.id) if isinstance(event, Event) else None

    @property
    def case_id(self) -> UUID | None:
        """The case that its event is about, if any."""
        event = self.entry.event
        return event.case_id if isinstance(event, Event) else None

    def verify(self, public_key: bytes, body: bytes, signature: bytes) -> bool:
        """What was worked out ahead, if the key is the one that was expected; else worked out now."""
        if self.checked is not None and self.checked.public_key == public_key:
            return self.checked.genuine
        return signing.verifies(public_key, body, signature)


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a tag: its sequence and its leaf hash."""

    sequence: int
    leaf: bytes


NO_HEAD = Head(0, proof.NO_PREVIOUS)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the timeline: Kafka's facts and their hashes, and the verdict beside them."""

    placed: Placed
    record_ms: int
    facts: proof.LogEntry
    leaf: bytes
    verdict: Verdict

    @property
    def is_alarming(self) -> bool:
        """Whether it should never have come to stand on the record as it does."""
        if self.verdict.kind is VerdictKind.INVALID:
            return True
        event = self.placed.entry.event
        overtaken = self.verdict.kind is not VerdictKind.INEFFECTIVE or self.verdict.reason in _OVERTAKEN
        return isinstance(event, Event) and event.emitter == EXCHANGE and not overtaken


@dataclass(frozen=True, slots=True)
class Page:
    """What one batch of the record adds: its lines, and the newest form of everything that it changed."""

    lines: tuple[Line, ...]
    cases: tuple[Case, ...]
    directory: Directory | None
    handoffs: tuple[Handoff, ...]

    @property
    def first_offset(self) -> int:
        """The offset where the page begins."""
        return self.lines[0].placed.offset

    @property
    def next_offset(self) -> int:
        """The offset where the next page begins."""
        return self.lines[-1].placed.offset + 1

    @property
    def record_ms(self) -> int:
        """The record's time at the end of the page."""
        return self.lines[-1].record_ms


@dataclass(slots=True)
class Chronicle:
    """What is known at a position of the record: the running fold, and a memory of what it needs.

    Whoever runs it loads what a batch needs and is not ``remembered`` yet, and throws the whole away when a page
    could not be stored.
    """

    genesis_hash: str
    directory: Directory
    record_ms: int
    cases: dict[UUID, Case] = field(default_factory=dict)
    heads: dict[bytes, Head] = field(default_factory=dict)

    def forgets(self, most: int) -> None:
        """Keeps memory bounded: forgets all cases and heads if there are more than ``most``."""
        if max(len(self.cases), len(self.heads)) > most:
            self.cases.clear()
            self.heads.clear()

    def unknown_cases(self, batch: Iterable[Placed]) -> frozenset[UUID]:
        """The cases of ``batch`` that have to be loaded."""
        return frozenset(p.case_id for p in batch if p.case_id is not None) - self.cases.keys()

    def unknown_tags(self, batch: Iterable[Placed]) -> frozenset[bytes]:
        """The tags of ``batch`` whose heads have to be loaded."""
        return frozenset(placed.tag for placed in batch) - self.heads.keys()

    def remembers(self, cases: Iterable[Case], heads: Mapping[bytes, Head]) -> None:
        """Takes over what was loaded."""
        self.cases.update((case.id, case) for case in cases)
        self.heads.update(heads)

    def page(self, batch: Sequence[Placed], first_hashes: Mapping[Identity, str]) -> Page:
        """What ``batch`` adds. ``first_hashes``: SHA-256 (hex) of the values of those of its events seen before."""
        writing = _Writing(self, dict(first_hashes))
        lines = tuple(writing.line(placed) for placed in batch)
        return Page(
            lines=lines,
            cases=tuple(self.cases[case] for case in writing.changed_cases),
            directory=self.directory if writing.directory_changed else None,
            handoffs=tuple(writing.handoffs.values()),
        )


@dataclass(slots=True)
class _Writing:
    """One page while it is written."""

    chronicle: Chronicle
    first_hashes: dict[Identity, str]
    changed_cases: dict[UUID, None] = field(default_factory=dict)
    handoffs: dict[UUID, Handoff] = field(default_factory=dict)
    directory_changed: bool = False

    def line(self, placed: Placed) -> Line:
        """The line of ``placed``, with everything that follows from it remembered."""
        known = self.chronicle
        known.record_ms = max(known.record_ms, placed.appended_ms)
        examined = self._examine(placed, from_ms(known.record_ms))
        identity = placed.identity
        if identity is not None and examined.verdict.kind in _COUNTING:
            self.first_hashes[identity] = placed.entry.value_hash
        if examined.verdict.is_effective:
            self._remember(examined)
        facts = self._facts(placed)
        leaf = facts.leaf_hash()
        known.heads[facts.case_tag] = Head(facts.sequence, leaf)
        return Line(placed, known.record_ms, facts, leaf, examined.verdict)

    def _examine(self, placed: Placed, at: datetime) -> Examined:
        case = placed.case_id
        known = Situation(
            self.chronicle.directory,
            None if case is None else self.chronicle.cases.get(case) or Case(case),
        )
        identity = placed.identity
        return examine(
            known,
            placed.entry,
            first_hash=None if identity is None else self.first_hashes.get(identity),
            at=at,
            genesis_hash=self.chronicle.genesis_hash,
            verify=placed.verify,
        )

    def _remember(self, examined: Examined) -> None:
        before, after = examined.before, examined.after
        if after.directory is not before.directory:
            self.chronicle.directory = after.directory
            self.directory_changed = True
        if after.case is not None and after.case is not before.case:
            self.chronicle.cases[after.case.id] = after.case
            self.changed_cases[after.case.id] = None
            for changed in changed_handoffs(before.case, after.case):
                self.handoffs[changed.referral] = merged(self.handoffs.get(changed.referral), changed)

    def _facts(self, placed: Placed) -> proof.LogEntry:
        message, tag = placed.entry.message, placed.tag
        head = self.chronicle.heads.get(tag, NO_HEAD)
        return proof.LogEntry(
            partition=PARTITION,
            offset=placed.offset,
            appended_ms=placed.appended_ms,
            record_hash=proof.record_hash(message.key, message.value, message.headers),
            case_tag=tag,
            sequence=head.sequence + 1,
            previous_leaf=head.leaf,
        )
