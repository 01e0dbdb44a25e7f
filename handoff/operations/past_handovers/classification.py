"""Classification of logged events: the milestone that each is, or the reason for which it is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from handoff.operations.past_handovers.event_log import LoggedEvent
from handoff.operations.past_handovers.mapping import GROUP_LIMIT, Mapping, Times
from handoff.views.past_handovers import Milestone, PastEvent


class RefusalReason(StrEnum):
    """Reason for which an event is not imported, before its case is looked at."""

    ROW_MALFORMED = "row_malformed"
    NOT_TEXT = "not_text"
    CASE_MISSING = "case_missing"
    ACTIVITY_MISSING = "activity_missing"
    TIME_MISSING = "time_missing"
    GROUP_MISSING = "group_missing"
    GROUP_TOO_LONG = "group_too_long"
    ACTIVITY_NOT_MAPPED = "activity_not_mapped"
    TRANSITION_NOT_MAPPED = "transition_not_mapped"
    GROUP_NOT_MAPPED = "group_not_mapped"
    TIME_UNREADABLE = "time_unreadable"
    TIME_WITHOUT_ZONE = "time_without_zone"
    TIME_DOES_NOT_EXIST = "time_does_not_exist"
    TIME_IS_AMBIGUOUS = "time_is_ambiguous"
    TIME_TOO_EARLY = "time_too_early"
    TIME_IN_FUTURE = "time_in_future"


class Classification:
    """Classification under one mapping. ``latest`` is the time of the import: a later event is refused."""

    def __init__(self, mapping: Mapping, latest: datetime) -> None:
        self._mapping = mapping
        self._milestones = {(each.activity, each.transition): step for step, each in mapping.matches}
        self._activities = {activity for activity, _ in self._milestones}
        self._read_time = _time_reader(mapping.time, latest)

    def __call__(self, event: LoggedEvent) -> PastEvent | RefusalReason:
        """Return the milestone that ``event`` is, or the reason for which it is refused."""
        if (missing := self._missing(event)) is not None:
            return missing
        milestone = self._milestone(event)
        if not isinstance(milestone, Milestone):
            return milestone
        group = self._group(event.group)
        if isinstance(group, RefusalReason):
            return group
        at = self._read_time(event.time or "")
        return at if isinstance(at, RefusalReason) else PastEvent(event.number, milestone, at, group)

    def _missing(self, event: LoggedEvent) -> RefusalReason | None:
        if event.malformed:
            return RefusalReason.ROW_MALFORMED
        if event.case is None:
            return RefusalReason.CASE_MISSING
        if event.activity is None:
            return RefusalReason.ACTIVITY_MISSING
        if event.time is None:
            return RefusalReason.TIME_MISSING
        if any("\ufffd" in value for value in (event.case, event.activity, event.time, event.group or "")):
            return RefusalReason.NOT_TEXT
        return None

    def _milestone(self, event: LoggedEvent) -> Milestone | RefusalReason:
        activity = event.activity or ""
        for key in ((activity, event.transition), (activity, None)):
            if (milestone := self._milestones.get(key)) is not None:
                return milestone
        return (
            RefusalReason.TRANSITION_NOT_MAPPED if activity in self._activities else RefusalReason.ACTIVITY_NOT_MAPPED
        )

    def _group(self, group: str | None) -> str | RefusalReason | None:
        if self._mapping.columns.group is None:
            return None
        if group is None:
            return RefusalReason.GROUP_MISSING
        if self._mapping.groups is not None:
            return self._mapping.groups.get(group, RefusalReason.GROUP_NOT_MAPPED)
        return group if len(group) <= GROUP_LIMIT else RefusalReason.GROUP_TOO_LONG


def _time_reader(times: Times, latest: datetime) -> Callable[[str], datetime | RefusalReason]:
    def read(text: str) -> datetime | RefusalReason:
        try:
            # Without an offset in the text, the time is naive until it is placed.
            parsed = datetime.fromisoformat(text) if times.format is None else datetime.strptime(text, times.format)  # noqa: DTZ007
            at = _placed(parsed, times.zone, offset_is_wrong=times.offset_is_wrong)
        except (ValueError, OverflowError):
            return RefusalReason.TIME_UNREADABLE
        if isinstance(at, RefusalReason):
            return at
        if at < times.earliest:
            return RefusalReason.TIME_TOO_EARLY
        return at if at <= latest else RefusalReason.TIME_IN_FUTURE

    return read


def _placed(parsed: datetime, zone: ZoneInfo | None, *, offset_is_wrong: bool) -> datetime | RefusalReason:
    """Return the moment in UTC of a clock time, or the reason for which it has none, or two."""
    if parsed.tzinfo is not None and not offset_is_wrong:
        return parsed.astimezone(UTC)
    if zone is None:
        return RefusalReason.TIME_WITHOUT_ZONE
    first, second = (parsed.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    # The two readings are in the other order where the clocks skip an hour.
    return RefusalReason.TIME_IS_AMBIGUOUS if first < second else RefusalReason.TIME_DOES_NOT_EXIST
