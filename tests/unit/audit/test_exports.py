"""Exports: table, event log and printable list hold the same entries as the page."""

import csv
import io
import re
from dataclasses import replace
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from handoff.audit.exports.csv_table import COLUMNS, as_csv
from handoff.audit.exports.pdf_report import as_pdf
from handoff.audit.exports.xes_log import as_xes
from handoff.audit.pages.audit_site import audit_site
from handoff.audit.pages.entry_filter import EntryFilter
from handoff.audit.pages.entry_list import entries_by_day
from handoff.audit.pages.replay_view import ReplayView
from handoff.audit.pages.time_slider import Reader, record_times, slider_position
from handoff.config import DEFAULT_TIME_ZONE
from handoff.judging.timeline_check import TimelineDifference
from handoff.record.topics import AUDIT
from handoff.views.replay.history import History
from handoff.web.pages.translation import LANGUAGES
from tests.support.dsl.builders import nth_id
from tests.support.dsl.spec import CASE, LAWYER
from tests.support.parts.audited import NOW, story
from tests.support.parts.replayed import replayed

SITE = audit_site(ZoneInfo(DEFAULT_TIME_ZONE))
STRANGER = Reader(nth_id(99), AUDIT)
XES = "{http://www.xes-standard.org/}"


@pytest.fixture(scope="module")
def history() -> History:
    return replayed(story())


def test_the_table_has_one_line_for_each_entry_and_repeats_the_record_s_codes(history: History) -> None:
    """It holds every entry of the record, and the reason of each ineffective one."""
    header, *lines = csv.reader(io.StringIO(as_csv(history.own, lambda position: position < history.own[-1].position)))
    assert tuple(header) == COLUMNS
    assert [line[0] for line in lines] == [str(entry.position) for entry in history.own]
    lost = next(dict(zip(header, line, strict=True)) for line in lines if line[6] == "ineffective")
    assert (lost["emitter"], lost["type"], lost["reason"]) == (LAWYER, "referral.accepted.v1", "release_withdrawn")
    assert [line[8] for line in lines[-2:]] == ["yes", "no"]


def test_no_cell_of_the_table_is_a_formula(history: History) -> None:
    """Spreadsheets evaluate a cell that starts with one of four characters."""
    for line in csv.reader(io.StringIO(as_csv(history.own, lambda _: False))):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line)


def test_the_event_log_is_a_trace_of_the_case_in_the_order_of_the_record(history: History) -> None:
    """Each event has a name, a time, a resource and a lifecycle, from declared extensions."""
    log = ET.fromstring(as_xes(CASE, history.own))
    (trace,) = log.findall(f"{XES}trace")
    declared = {extension.get("prefix") for extension in log.findall(f"{XES}extension")}
    assert declared == {"concept", "time", "org", "lifecycle"}
    assert attributes(trace)["concept:name"] == str(CASE)
    events = [attributes(event) for event in trace.findall(f"{XES}event")]
    assert len(events) == len(history.own)
    assert all({"concept:name", "time:timestamp", "org:resource", "lifecycle:transition"} <= e.keys() for e in events)
    times = [datetime.fromisoformat(event["time:timestamp"]) for event in events]
    assert times == sorted(times)


def test_a_referral_s_life_is_the_standard_s_lifecycle(history: History) -> None:
    """Requested, accepted, started: schedule, assign, start; an ineffective entry has no transition."""
    log = ET.fromstring(as_xes(CASE, history.own))
    events = [attributes(event) for event in log.iter(f"{XES}event")]
    place = [e["lifecycle:transition"] for e in events if e.get("concept:instance") == events_instance(events)]
    assert [step for step in place if step != "complete"] == ["schedule", "assign", "start"]
    assert {e["lifecycle:transition"] for e in events if e["handoff:verdict"] == "ineffective"} == {"unknown"}


def events_instance(events: list[dict[str, str]]) -> str:
    """Return the referral that was started first."""
    return next(e["concept:instance"] for e in events if e["concept:name"] == "referral.started")


def attributes(element: ET.Element) -> dict[str, str]:
    return {child.get("key", ""): child.get("value", "") for child in element if child.get("key")}


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_list_is_printed_in_every_language(history: History, tag: str) -> None:
    """The embedded font has every letter of the four languages, and the document declares its language."""
    printed = as_pdf(at_the_end(history, tag))
    assert printed.startswith(b"%PDF-")
    assert f"/Lang ({tag})".encode() in printed
    assert len(re.findall(rb"/Type /Page\b", printed)) >= 1


def at_the_end(history: History, tag: str) -> ReplayView:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    position = slider_position(history, STRANGER, NOW, None, None)
    return ReplayView(request, SITE.translation(tag), history, STRANGER, position, EntryFilter())


def test_the_list_groups_consecutive_reads_and_shows_entries_by_day(history: History) -> None:
    """Three reads are one group; no entry is missing."""
    shown = entries_by_day(at_the_end(history, "en"))
    runs = [group for day in shown for group in day.groups]
    assert [len(run.items) for run in runs if run.are_reads] == [3]
    assert [item.position for run in runs for item in run.items] == [entry.position for entry in history.own]
    assert [day.day for day in shown] == ["2026-01-05", "2026-01-06", "2026-01-09"]


def test_a_filter_shows_the_matching_entries_in_order(history: History) -> None:
    """Ineffective entries only, one institution only, one event type only."""
    lost = [entry for entry in history.own if entry in EntryFilter(ineffective=True)]
    assert [(entry.emitter, entry.verdict.reason) for entry in lost] == [(LAWYER, "release_withdrawn")]
    concerned = [entry for entry in history.own if entry in EntryFilter(agency="shelter")]
    assert all(entry.emitter == "shelter" or "shelter" in entry.recipients for entry in concerned)
    assert {entry.body.type for entry in history.own if entry in EntryFilter(type="case.read.v1")} == {"case.read.v1"}


def test_the_slider_has_a_step_for_each_record_time_and_one_for_now(history: History) -> None:
    """Entries with the same record time are one step; the last step is the present."""
    first = slider_position(history, STRANGER, NOW, 1, None)
    assert first.at == history.own[0].at
    assert slider_position(history, STRANGER, NOW, first.last, None).is_now
    assert slider_position(history, STRANGER, NOW, None, first.at.isoformat()).step == 1
    assert slider_position(history, STRANGER, NOW, None, (first.at - timedelta(seconds=1)).isoformat()).step == 0


def test_the_reader_s_own_reads_are_no_steps_of_the_slider(history: History) -> None:
    """A visit adds an entry to the case and no step; reads by other people are steps."""
    read = next(entry for entry in history.own if entry.emitter == AUDIT)
    reader = Reader(read.body.reader, AUDIT)
    assert read.at in record_times(history, STRANGER)
    assert read.at not in record_times(history, reader)
    assert len(record_times(history, reader)) == len(record_times(history, STRANGER)) - 1


def test_exports_name_what_the_database_has_otherwise(history: History) -> None:
    """The entry is the judged one; its line and its event have the columns that differ."""
    position = history.own[3].position
    differing = replace(
        history,
        differences=(
            TimelineDifference(position, "emitter", "police", "shelter"),
            TimelineDifference(position, "verdict", "ineffective", "effective"),
        ),
    ).differing
    lines = csv.DictReader(io.StringIO(as_csv(history.own, lambda _: True, differing)))
    named = {line["position"]: line["differs"] for line in lines if line["differs"]}
    log = ET.fromstring(as_xes(CASE, history.own, differing))
    events = [attributes(event) for event in log.iter(f"{XES}event")]
    logged = {event["handoff:position"]: event["handoff:differs"] for event in events if "handoff:differs" in event}
    assert named == logged == {str(position): "emitter verdict"}
