"""Mapping: the meaning of the columns and activities of an event log, from a TOML file."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from handoff.config import read_toml
from handoff.views.past_handovers import Milestone

GROUP_LIMIT = 100
"""Longest name of a group, in characters."""

_Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Table):
    """Name of the column (CSV) or attribute key (XES) of each value.

    XES has standard keys for ``case``, ``activity`` and ``time``; CSV has not.
    """

    case: _Text | None = None
    activity: _Text | None = None
    time: _Text | None = None
    # The organisational unit that acted. Never a person.
    group: _Text | None = None
    transition: _Text | None = None

    @model_validator(mode="after")
    def _a_column_is_mapped_once(self) -> Self:
        # XES has one key for the name of a trace and of an event, so `case` may share one with `activity`.
        named = [name for name in (self.activity, self.time, self.group, self.transition) if name is not None]
        if repeated := [name for name, count in Counter(named).items() if count > 1]:
            raise ValueError(f"{', '.join(map(repr, repeated))} is mapped twice; name a column of its own for each")
        return self


class Times(_Table):
    """Reading of times: their form, the zone of those without an offset, and the plausible range."""

    # A format of `datetime.strptime`. By default, times are ISO 8601.
    format: _Text | None = None
    zone: ZoneInfo | None = None
    # Read the clock time in `zone` even if the log has an offset, because the offset is wrong.
    offset_is_wrong: bool = False
    earliest: AwareDatetime = datetime(1990, 1, 1, tzinfo=UTC)

    @model_validator(mode="after")
    def _a_wrong_offset_has_a_replacement(self) -> Self:
        if self.offset_is_wrong and self.zone is None:
            raise ValueError("offset_is_wrong needs the right zone; add the key zone")
        return self


class Activity(_Table):
    """An activity, of any transition or of one (``lifecycle:transition``, for example ``start``)."""

    activity: _Text
    transition: _Text | None = None


Activities = dict[Milestone, Annotated[tuple[_Text | Activity, ...], Field(min_length=1)]]


class CsvForm(_Table):
    """Form of a CSV file."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: _Text = "utf-8-sig"

    @model_validator(mode="after")
    def _the_encoding_is_known(self) -> Self:
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError("encoding: no such encoding; utf-8, cp1250 and cp1251 are common") from None
        return self


class Mapping(_Table):
    """Mapping of one log. ``name`` identifies the import and is shown beside its figures."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    columns: Columns = Columns()
    time: Times = Times()
    activities: Activities
    # Name to show for each group of the log. If it is given, a group that it lacks is refused.
    groups: dict[_Text, Annotated[str, Field(min_length=1, max_length=GROUP_LIMIT)]] | None = None
    csv: CsvForm = CsvForm()

    @model_validator(mode="after")
    def _activities_describe_handovers(self) -> Self:
        if Milestone.REQUESTS not in self.activities:
            raise ValueError("activities.requests: name the activities that request; without one, no handover begins")
        if not self.activities.keys() & {Milestone.OPENS, Milestone.ANSWERS, Milestone.STARTS, Milestone.ENDS}:
            raise ValueError("activities: name at least one of opens, answers, starts, ends; otherwise no wait ends")
        matches = [(each.activity, each.transition) for _, each in self.matches]
        for name, transition in matches:
            if matches.count((name, transition)) > 1 or (transition is not None and (name, None) in matches):
                raise ValueError(f"activities: {name!r} has two meanings; name it once, or once for each transition")
        return self

    @property
    def matches(self) -> tuple[tuple[Milestone, Activity], ...]:
        """Each milestone with each activity that means it."""
        return tuple(
            (milestone, each if isinstance(each, Activity) else Activity(activity=each))
            for milestone, activities in self.activities.items()
            for each in activities
        )


def read_mapping(path: Path) -> Mapping:
    """Read the mapping in the TOML file at ``path``. Raises ``ConfigurationError``, which names each wrong key."""
    return read_toml(path, Mapping)
