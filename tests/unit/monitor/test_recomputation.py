"""The monitor's tree and verdicts are those of the other readers, and continue from a snapshot."""

from dataclasses import replace

import pytest

from handoff.judging.verdict_statement import RunningVerdicts
from handoff.monitor.recomputation import Recomputation, SnapshotRejected
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.frontier import Frontier
from handoff.record.codes import DeadlineStep
from handoff.record.delivery import to_ms
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, key_of
from tests.support.dsl.judged import GENESIS_HASH, Appended, projected, story_of
from tests.support.dsl.spec import COORDINATION, SHELTER, Sent

_ORIGIN, _KEY = Origin(JURISDICTION, GENERATION), key_of("monitor")


def _story() -> list[Appended]:
    record = spec.given(spec.requested()).record
    accepted = Sent(SHELTER, r.ReferralAccepted(referral=spec.REFERRAL))
    record.send(accepted, accepted, Sent(COORDINATION, d.RulesActivated(version=1)))
    record.miss(DeadlineStep.ARRIVAL)
    return story_of(record)


_STORY = _story()
_RECORDS = [KafkaRecord(offset, to_ms(at), message) for offset, (message, at) in enumerate(_STORY)]


def _empty() -> Recomputation:
    return Recomputation.empty(_ORIGIN, GENESIS_HASH)


def _whole() -> Recomputation:
    found = _empty()
    found.append(_RECORDS)
    return found


def test_tree_and_verdicts_are_those_of_the_projection() -> None:
    """The projection judges by the same function and stores what the comparison reads."""
    rows, expected = projected(_STORY).rows, RunningVerdicts()
    for row in rows:
        expected.add(row.entry.offset, row.judged.rules, row.judged.verdict)
    whole = _whole()
    assert whole.head.root == Frontier().extended(row.leaf for row in rows)[0].root
    assert whole.statement == expected.statement(str(_ORIGIN))


@pytest.mark.parametrize("at", range(len(_RECORDS)))
def test_it_continues_from_a_snapshot_as_without_one(at: int) -> None:
    first = _empty()
    first.append(_RECORDS[:at])
    again = Recomputation.restored(first.snapshot(_KEY), [_KEY], _ORIGIN, GENESIS_HASH)
    again.append(_RECORDS[at:])
    assert (again.head, again.statement) == (_whole().head, _whole().statement)
    assert again.snapshot(_KEY) == _whole().snapshot(_KEY)


def test_single_entries_give_the_same_as_batches() -> None:
    single = _empty()
    for record in _RECORDS:
        single.append([record])
    assert single.snapshot(_KEY) == _whole().snapshot(_KEY)


def test_a_snapshot_of_anyone_else_is_rejected() -> None:
    """A database cannot be made to replace what the record gives."""
    raw = _whole().snapshot(_KEY)
    for edited in (raw[:-1], raw[:70] + bytes([raw[70] ^ 1]) + raw[71:], _whole().snapshot(key_of("police")), b""):
        with pytest.raises(SnapshotRejected):
            Recomputation.restored(edited, [_KEY], _ORIGIN, GENESIS_HASH)


def test_a_snapshot_of_another_record_is_rejected() -> None:
    raw = _whole().snapshot(_KEY)
    for origin, genesis in ((replace(_ORIGIN, generation=GENERATION + 1), GENESIS_HASH), (_ORIGIN, "0" * 64)):
        with pytest.raises(SnapshotRejected):
            Recomputation.restored(raw, [_KEY], origin, genesis)
