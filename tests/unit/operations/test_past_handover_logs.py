"""Event logs of past handovers: reading, mapping, and the reason for each refused event."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoff.config import ConfigurationError
from handoff.operations.past_handovers.classification import Classification, RefusalReason
from handoff.operations.past_handovers.event_log import UnreadableLog, read_events
from handoff.operations.past_handovers.mapping import Mapping, read_mapping
from handoff.views.past_handovers import PastEvent
from tests.support.parts.event_logs import MAPPING, XES_MAPPING, Row, write_csv, write_mapping, write_xes

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# XML has no control characters, and both readers strip outer spaces.
_texts = st.text(st.characters(min_codepoint=32, exclude_categories=("C", "Z")), min_size=1, max_size=8)
_rows = st.lists(
    st.tuples(
        _texts,
        st.sampled_from(["ask", "open", "answer", "close", "lunch", ""]),
        st.sampled_from(["2020-01-01T10:00:00Z", "2020-01-02T10:00:00+02:00", "1970-01-01T00:00:00Z", "soon", ""]),
        st.sampled_from(["police", "csw", ""]),
    ),
    max_size=20,
)


def _mapping(directory: Path, text: str = MAPPING) -> Mapping:
    return read_mapping(write_mapping(directory / "mapping.toml", text))


def _classified(log: Path, mapping: Mapping) -> list[tuple[str, PastEvent | RefusalReason]]:
    classify = Classification(mapping, NOW)
    return [(event.case or "", classify(event)) for event in read_events(log, mapping)]


def _by_case(found: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    cases: dict[str, list[Any]] = {}
    for case, what in found:
        cases.setdefault(case, []).append(
            what if isinstance(what, RefusalReason) else (what.milestone, what.at, what.group)
        )
    return cases


@given(rows=_rows, compressed=st.sampled_from(["", ".gz"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_the_same_log_in_csv_and_xes_is_read_equally(rows: list[Row], compressed: str, tmp_path: Path) -> None:
    from_csv = _classified(write_csv(tmp_path / f"log.csv{compressed}", rows), _mapping(tmp_path))
    from_xes = _classified(write_xes(tmp_path / f"log.xes{compressed}", rows), _mapping(tmp_path, XES_MAPPING))
    assert len(from_csv) == len(from_xes) == len(rows)
    assert _by_case(from_csv) == _by_case(from_xes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("", "ask", "2020-01-01T00:00:00Z", "csw"), RefusalReason.CASE_MISSING),
        (("1", "", "2020-01-01T00:00:00Z", "csw"), RefusalReason.ACTIVITY_MISSING),
        (("1", "ask", "", "csw"), RefusalReason.TIME_MISSING),
        (("1", "ask", "2020-01-01T00:00:00Z", ""), RefusalReason.GROUP_MISSING),
        (("1", "ask", "2020-01-01T00:00:00Z", "x" * 101), RefusalReason.GROUP_TOO_LONG),
        (("1", "lunch", "2020-01-01T00:00:00Z", "csw"), RefusalReason.ACTIVITY_NOT_MAPPED),
        (("1", "ask", "yesterday", "csw"), RefusalReason.TIME_UNREADABLE),
        (("1", "ask", "0001-01-01T00:00:00+02:00", "csw"), RefusalReason.TIME_UNREADABLE),
        (("1", "ask", "2020-01-01T00:00:00", "csw"), RefusalReason.TIME_WITHOUT_ZONE),
        (("1", "ask", "1970-01-01T00:00:00Z", "csw"), RefusalReason.TIME_TOO_EARLY),
        (("1", "ask", "2026-01-01T00:00:01Z", "csw"), RefusalReason.TIME_IN_FUTURE),
        (("1", "ask", "2020-01-01T00:00:00Z"), RefusalReason.ROW_MALFORMED),
        (("1", "ask", "2020-01-01T00:00:00Z", "csw\ufffd"), RefusalReason.NOT_TEXT),
    ],
)
def test_a_refused_event_has_its_reason(row: Any, reason: RefusalReason, tmp_path: Path) -> None:
    assert _classified(write_csv(tmp_path / "log.csv", [row]), _mapping(tmp_path))[0][1] is reason


@pytest.mark.parametrize(
    ("time", "found"),
    [
        ("2020-06-01T10:00:00", datetime(2020, 6, 1, 8, tzinfo=UTC)),
        ("2020-06-01T10:00:00+00:00", datetime(2020, 6, 1, 8, tzinfo=UTC)),
        ("2020-03-29T02:30:00", RefusalReason.TIME_DOES_NOT_EXIST),
        ("2020-10-25T02:30:00", RefusalReason.TIME_IS_AMBIGUOUS),
    ],
)
def test_the_zone_of_the_mapping_replaces_a_wrong_offset(time: str, found: Any, tmp_path: Path) -> None:
    zoned = _mapping(tmp_path, f'{MAPPING}[time]\nzone = "Europe/Belgrade"\noffset_is_wrong = true\n')
    ((_, event),) = _classified(write_csv(tmp_path / "log.csv", [("1", "ask", time, "csw")]), zoned)
    assert (event if isinstance(event, RefusalReason) else event.at) == found


def test_a_transition_selects_an_activity(tmp_path: Path) -> None:
    mapping = _mapping(
        tmp_path,
        'name = "past"\n[columns]\ncase = "c"\nactivity = "a"\ntime = "t"\ntransition = "l"\n'
        '[activities]\nrequests = [{activity = "ask", transition = "start"}]\nends = ["close"]\n',
    )
    log = tmp_path / "log.csv"
    log.write_text(
        "c,a,t,l\n1,ask,2020-01-01T00:00:00Z,start\n1,ask,2020-01-01T00:00:00Z,complete\n1,close,2020-01-01T00:00:00Z,x\n"
    )
    first, second, third = (found for _, found in _classified(log, mapping))
    assert isinstance(first, PastEvent)
    assert second is RefusalReason.TRANSITION_NOT_MAPPED
    assert isinstance(third, PastEvent)


def test_groups_are_renamed_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    mapping = _mapping(tmp_path, f'{MAPPING}[groups]\n"Unit 7" = "csw"\n')
    rows = [("1", "ask", "2020-01-01T00:00:00Z", "Unit 7"), ("1", "open", "2020-01-01T00:00:00Z", "Unit 8")]
    (_, known), (_, unknown) = _classified(write_csv(tmp_path / "log.csv", rows), mapping)
    assert (getattr(known, "group", None), unknown) == ("csw", RefusalReason.GROUP_NOT_MAPPED)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('name = "past"\n', "activities"),
        ('name = "past"\n[activities]\nopens = ["x"]\n', "activities.requests"),
        ('name = "past"\n[activities]\nrequests = ["x"]\n', "activities"),
        ('name = "past"\n[activities]\nrequests = []\nends = ["y"]\n', "activities.requests"),
        ('name = "past"\n[activities]\nrequests = ["x"]\nends = ["x"]\n', "'x'"),
        (MAPPING.replace('"group"', '"time"'), "columns: 'time'"),
        (MAPPING.replace('"past"', '"Past Log"'), "name"),
        (f'{MAPPING}[time]\nzone = "Prizren"\n', "time.zone"),
        (f"{MAPPING}[time]\noffset_is_wrong = true\n", "offset_is_wrong"),
        (f'{MAPPING}[csv]\nencoding = "latin-99"\n', "encoding"),
        (f'{MAPPING}[csv]\ndelimiter = ""\n', "csv.delimiter"),
    ],
)
def test_a_wrong_mapping_names_its_key(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _mapping(tmp_path, text)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("case,activity,when,group", "columns.time"),
        ("case,case,activity,time,group", "columns.case"),
        ("", "columns.case"),
    ],
)
def test_a_column_that_the_file_lacks_is_named(header: str, named: str, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"{header}\n")
    with pytest.raises(ConfigurationError, match=named):
        list(read_events(log, _mapping(tmp_path)))


def test_a_csv_file_without_mapped_columns_is_refused(tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", [])
    with pytest.raises(ConfigurationError, match=r"columns\.case"):
        list(read_events(log, _mapping(tmp_path, XES_MAPPING)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.xlsx", b"PK"),
        ("log.xes", b"<log><trace>"),
        ("log.xes", b"<html/>"),
        ("log.xes", b'<!DOCTYPE log [<!ENTITY a "aaaa">]><log><trace><string key="x" value="&a;"/></trace></log>'),
        ("log.xes", b""),
        ("log.csv.gz", b"not gzip"),
        ("log.csv", b'case,activity,time,group\n"1,ask'),
    ],
)
def test_a_file_that_is_no_log_is_an_error_with_its_name(name: str, content: bytes, tmp_path: Path) -> None:
    log = tmp_path / name
    log.write_bytes(content)
    with pytest.raises(UnreadableLog, match=name):
        list(read_events(log, _mapping(tmp_path)))


def test_a_truncated_gzip_file_is_an_error(tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv.gz", [("1", "ask", "2020-01-01T00:00:00Z", "csw")] * 50)
    log.write_bytes(log.read_bytes()[:-20])
    with pytest.raises(UnreadableLog):
        list(read_events(log, _mapping(tmp_path)))


def test_memory_holds_one_event_at_a_time(tmp_path: Path) -> None:
    """The elements of read events leave the tree, of one long trace too."""
    import tracemalloc

    def peak(events: int) -> int:
        rows = [("1", "ask", "2020-01-01T00:00:00Z", "csw")] * events
        log = write_xes(tmp_path / f"{events}.xes", rows)
        tracemalloc.start()
        for _ in read_events(log, _mapping(tmp_path, XES_MAPPING)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(8_000) < 2 * peak(1_000)
