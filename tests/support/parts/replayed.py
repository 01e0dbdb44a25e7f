"""A record of the tests as an auditor replays it."""

from uuid import UUID

from handoff.record.delivery import EFFECTIVE
from handoff.views.replay.checkpoint_status import CheckpointStatus
from handoff.views.replay.history import DecodedEntry, History, history
from tests.support.dsl import spec
from tests.support.dsl.spec import CASE, DAY, T0


def replay_entries(record: spec.Record, case: UUID = CASE) -> tuple[DecodedEntry, ...]:
    """The jurisdiction's foundation, then what ``record`` holds about ``case`` and the jurisdiction."""
    founded = [
        DecodedEntry(position, T0 - DAY, T0 - DAY, EFFECTIVE, event, is_of_case=False)
        for position, event in enumerate(spec.foundation())
    ]
    appended = [
        DecodedEntry(position, entry.at, entry.at, entry.verdict, entry.event, is_of_case=entry.event.case_id == case)
        for position, entry in enumerate(record.entries, len(founded))
        if entry.event.case_id in (None, case)
    ]
    return (*founded, *appended)


def replayed(record: spec.Record, sealing: CheckpointStatus | None = None) -> History:
    """The case of ``record`` as an auditor replays it."""
    return history(CASE, replay_entries(record), sealing)
