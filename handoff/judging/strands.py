"""Verdicts on the entries of a case, from the raw records of the directory and of that case alone.

No verdict on a case's event depends on another case, so two strands suffice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from handoff.domain.directory import Directory
from handoff.domain.record_fold import JudgedRecord, RecordFold
from handoff.domain.routing import listed_recipients
from handoff.record import signing
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse_value

# Outside the database that is checked, and by the exact bytes: an edited row is never answered from the cache.
_CACHED: Final = 20_000
_parse_value = lru_cache(_CACHED)(parse_value)
_verifies = lru_cache(_CACHED)(signing.verifies)


class StrandJudge:
    """Judge of a directory and of cases, one record at a time in the record's order.

    The records are the complete strand of the directory, and strands of cases. ``empty`` is the directory before the
    founding event, whose hash is ``genesis_hash``.
    """

    def __init__(self, genesis_hash: str, empty: Directory) -> None:
        self._fold = RecordFold(genesis_hash, empty, verify=_verifies)

    def judge(self, record: KafkaRecord, record_ms: int) -> tuple[JudgedRecord, tuple[str, ...]]:
        """Judge the next record, given with its record time in milliseconds, and return it with its recipients.

        Raises ``UnsupportedRules``, and nothing else on any bytes.
        """
        timed = replace(record, appended_ms=record_ms)
        judged, before, after = self._fold.apply(ParsedRecord(timed, *_parse_value(record.message.value or b"")))
        return judged, listed_recipients(judged, before, after)


def judge_strands(
    records: Iterable[tuple[KafkaRecord, int]], genesis_hash: str, empty: Directory
) -> Iterator[tuple[JudgedRecord, tuple[str, ...]]]:
    """Judge ``records``, given with their record times in milliseconds, as ``StrandJudge`` does."""
    judge = StrandJudge(genesis_hash, empty)
    for record, record_ms in records:
        yield judge.judge(record, record_ms)
