"""Every reader judges an entry by the version of the rules in force at its position of the record."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from handoff.domain.case import Situation
from handoff.domain.commands import RecordRead
from handoff.domain.decide import About, Refusal, decide
from handoff.domain.directory import Directory
from handoff.domain.rules import UnsupportedRules, current_version
from handoff.exchange.validation import Submission, objection
from handoff.judging.bundle_verdicts import judge_bundle
from handoff.judging.strands import judge_strands
from handoff.node.inbox.fold import InboxFold
from handoff.node.inbox.inbox_chain import InboxChain
from handoff.node.inbox.inbox_entry import InboxEntry
from handoff.node.inbox.intake import Arrivals, apply_arrivals
from handoff.node.rows import InboxRow
from handoff.record.codes import ReadPurpose, RefusalCode, State
from handoff.record.delivery import DeliveryFault, VerdictKind, to_ms
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord
from handoff.record.topics import out_topic
from handoff.views.replay.history import decode_entry, history
from tests.support.dsl import spec
from tests.support.dsl.builders import CASE, GENERATION, JURISDICTION, nth_id, signed
from tests.support.dsl.judged import GENESIS_HASH, Appended, projected, routed, story_of
from tests.support.dsl.second_rules import SECOND, second_rules
from tests.support.dsl.spec import COORDINATION, POLICE, SHELTER, Sent
from tests.support.parts.proof_record import dump_of

_READ = Sent(POLICE, c.CaseRead(reader=nth_id(1), purpose=ReadPurpose.SUPERVISE))
_ACTIVATED = Sent(COORDINATION, d.RulesActivated(version=SECOND))
_EMPTY = Directory(JURISDICTION, GENERATION)


def _story() -> list[Appended]:
    """A read, the activation of the second version in mid-record, another read and an acceptance."""
    record = spec.given(spec.requested(), _READ).record
    with second_rules():
        record.send(_ACTIVATED, _READ, Sent(SHELTER, r.ReferralAccepted(referral=spec.REFERRAL)))
    # The founding event names the version that was the current one then.
    return story_of(record)


_STORY = _story()


@pytest.fixture
def second_version() -> Iterator[None]:
    """The release that has both versions."""
    with second_rules():
        yield


def _by_node() -> list[tuple[int, int, VerdictKind]]:
    """The verdicts that the node of the police receives, each with the version that its own fold has."""
    result, offsets = routed(_STORY), {message.value: offset for offset, (message, _) in enumerate(_STORY)}
    fold, seen = InboxFold(POLICE, GENESIS_HASH, _EMPTY, {}, {}), []
    for queued in result.deliveries:
        if queued.member == POLICE:
            seen.append((offsets[queued.delivery.message.value], fold.directory.rules, queued.delivery.verdict.kind))
            fold.apply(InboxEntry.from_delivery(queued.delivery.sequence, queued.delivery))
    return seen


def _records() -> Iterator[tuple[KafkaRecord, int]]:
    for offset, (message, at) in enumerate(_STORY):
        yield KafkaRecord(offset, to_ms(at), message), to_ms(at)


def _offline() -> list[tuple[int, int, VerdictKind]]:
    dump = replace(dump_of([message for message, _ in _STORY]), genesis=GENESIS_HASH)
    judged = judge_bundle(io.BytesIO(dump.bundle()), GENESIS_HASH)
    return [(entry.offset, entry.rules, entry.verdict.kind) for entry in judged.entries]


_READERS: Mapping[str, Callable[[], list[tuple[int, int, VerdictKind]]]] = MappingProxyType(
    {
        "exchange": lambda: [(one.record.offset, one.rules, one.verdict.kind) for one in routed(_STORY).judged],
        "node": _by_node,
        "projection": lambda: [
            (row.entry.offset, row.judged.rules, row.judged.verdict.kind) for row in projected(_STORY).rows
        ],
        "audit": lambda: [
            (one.record.offset, one.rules, one.verdict.kind)
            for one, _ in judge_strands(_records(), GENESIS_HASH, _EMPTY)
        ],
        "bundle": _offline,
    }
)


def _offsets() -> tuple[int, int, int]:
    """Return the offsets of the activation and of the reads before and after it."""
    types = [
        str(row.judged.record.event.type)  # type: ignore[union-attr] # the story has events only
        for row in projected(_STORY).rows
    ]
    reads = [offset for offset, name in enumerate(types) if name == c.CaseRead.type]
    return types.index(d.RulesActivated.type), reads[0], reads[1]


@pytest.mark.parametrize("reader", sorted(_READERS))
@pytest.mark.usefixtures("second_version")
def test_every_reader_changes_at_the_entry_after_the_activation(reader: str) -> None:
    """The same read is effective before it and ineffective after it."""
    activated, before, after = _offsets()
    seen = {offset: (rules, kind) for offset, rules, kind in _READERS[reader]()}
    assert (seen[before], seen[after]) == ((1, "effective"), (SECOND, "ineffective"))
    assert {rules for offset, (rules, _) in seen.items() if 0 < offset <= activated} == {1}
    assert {rules for offset, (rules, _) in seen.items() if offset > activated} == {SECOND}


@pytest.mark.usefixtures("second_version")
def test_transitions_change_as_well_in_every_folded_state() -> None:
    """Under the second version an acceptance begins the service: for exchange, node, projection and replay alike."""
    fold = InboxFold(POLICE, GENESIS_HASH, _EMPTY, {}, {})
    for queued in routed(_STORY).deliveries:
        if queued.member == POLICE:
            fold.apply(InboxEntry.from_delivery(queued.delivery.sequence, queued.delivery))
    judged = [one for one, _ in judge_strands(_records(), GENESIS_HASH, _EMPTY)]
    replayed = history(CASE, (decode_entry(one, one.record_ms, is_of_case=True) for one in judged))
    cases = [routed(_STORY).cases[CASE], fold.cases[CASE], projected(_STORY).cases[-1]]
    states = [case.referrals[spec.REFERRAL].state for case in cases]
    last = replayed.entries[-1].referral
    assert last is not None
    assert [*states, last.state] == [State.IN_PROGRESS] * 4


@pytest.mark.usefixtures("second_version")
def test_a_node_decides_by_the_version_in_force() -> None:
    """A command that the next version forbids is refused by the node itself."""
    directory = routed(_STORY).directory
    known = Situation(directory, routed(_STORY).cases[CASE])
    command, about = RecordRead(reader=nth_id(1), purpose=ReadPurpose.SUPERVISE), About(CASE)
    decided = decide(known, command, about, me=spec.source(POLICE), now=spec.T0, new_id=lambda: nth_id(70))
    assert isinstance(decided, Refusal)
    assert decided.code == "too_early"


@pytest.mark.parametrize("reader", ["exchange", "projection", "audit", "bundle"])
def test_a_reader_without_the_version_stops_at_its_activation(reader: str) -> None:
    """It judges nothing more, and the error names the remedy."""
    with pytest.raises(UnsupportedRules, match=r"version 2 .* Upgrade this process"):
        _READERS[reader]()


def test_a_node_without_the_version_stops_at_its_activation() -> None:
    """The entry is not folded, so that the node continues from it after the upgrade."""
    with second_rules():
        deliveries = [one.delivery for one in routed(_STORY).deliveries if one.member == POLICE]
    fold = InboxFold(POLICE, GENESIS_HASH, _EMPTY, {}, {})
    entries = [InboxEntry.from_delivery(delivery.sequence, delivery) for delivery in deliveries]
    place = next(n for n, one in enumerate(entries) if one.event is not None and one.event.type == _ACTIVATED.body.type)
    for entry in entries[:place]:
        fold.apply(entry)
    with pytest.raises(UnsupportedRules):
        fold.apply(entries[place])
    assert fold.directory.rules == 1


def test_a_stopped_inbox_keeps_the_entries_before_the_activation() -> None:
    """The chain ends at the last folded entry, so that the upgraded node accepts the next one."""
    with second_rules():
        deliveries = [one.delivery for one in routed(_STORY).deliveries if one.member == POLICE]
    entries = [InboxEntry.from_delivery(delivery.sequence, delivery) for delivery in deliveries]
    arrivals, stored = Arrivals(1, list(entries)), dict[int, InboxRow]()
    chain = _Trusting(POLICE, GENESIS_HASH)
    apply_arrivals(InboxFold(POLICE, GENESIS_HASH, _EMPTY, {}, {}), chain, arrivals, stored)
    assert arrivals.fault is not None
    assert arrivals.fault.fault is DeliveryFault.RULES_NOT_SUPPORTED
    assert "Upgrade this process" in str(arrivals.fault)
    assert [entry.event.type for entry in entries[: len(arrivals.entries) + 1] if entry.event][-1] == (
        d.RulesActivated.type
    )
    assert stored[len(stored)].chain == chain.head
    with second_rules():
        fold = InboxFold(POLICE, GENESIS_HASH, _EMPTY, {}, {})
        again, after = Arrivals(1, list(entries)), dict[int, InboxRow]()
        apply_arrivals(fold, _Trusting(POLICE, GENESIS_HASH), again, after)
    assert (again.fault, fold.directory.rules) == (None, SECOND)


class _Trusting(InboxChain):
    """A chain that takes every signature for genuine."""

    def is_signed(self, *_: object) -> bool:
        return True


@pytest.mark.usefixtures("second_version")
def test_only_the_coordinator_activates_a_version() -> None:
    record = spec.given(spec.requested()).record
    entry = record.send(Sent(POLICE, d.RulesActivated(version=SECOND)))
    assert (entry.verdict.reason, record.directory.rules) == ("wrong_emitter", 1)


@pytest.mark.usefixtures("second_version")
def test_an_unknown_version_is_refused_at_intake() -> None:
    """It never reaches the record of an exchange that could not judge by it."""
    record = spec.given(spec.requested()).record
    messages = {
        version: signed(record.envelope(Sent(COORDINATION, d.RulesActivated(version=version))))
        for version in (SECOND, SECOND + 1)
    }
    topic, now = out_topic(JURISDICTION, COORDINATION), to_ms(record.now + timedelta(seconds=1))
    refused = {
        version: objection(Submission(topic, KafkaRecord(0, now, message)), record.directory, GENESIS_HASH)
        for version, message in messages.items()
    }
    assert refused == {SECOND: None, SECOND + 1: RefusalCode.UNKNOWN_RULES}


@pytest.mark.usefixtures("second_version")
def test_a_jurisdiction_starts_at_the_current_version() -> None:
    """The founding event names it."""
    body = spec.founding().data
    assert (body.rules, current_version()) == (SECOND, SECOND)
