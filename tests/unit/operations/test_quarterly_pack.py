"""The quarterly pack: the same bytes for the same record, and a report that every reader can use."""

import csv
import io
import os
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from handoff.operations.quarterly_pack.contents import PackContents, pack_contents
from handoff.operations.quarterly_pack.csv_tables import definitions_csv, figures_csv
from handoff.operations.quarterly_pack.report import report_pdf
from handoff.views.figures.definitions import DEFINITIONS
from handoff.views.figures.period import Quarter
from handoff.views.figures.tables import Thresholds
from tests.support.parts.generated_facts import generated_facts
from tests.support.probes.verapdf import accessibility_faults

ROOT = Path(__file__).parents[3]
QUARTER = Quarter.parse("2026-Q3", ZoneInfo("Europe/Belgrade"))


def _contents() -> PackContents:
    as_of = datetime(2026, 10, 15, tzinfo=UTC)
    return pack_contents("prizren", generated_facts(5, 40), QUARTER, as_of, Thresholds(), rules=1)


@pytest.fixture(scope="module")
def contents() -> PackContents:
    return _contents()


def test_the_report_is_accessible_pdf(contents: PackContents, tmp_path: Path) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(report_pdf(contents))
    assert accessibility_faults(report) == ""


def test_the_judge_of_accessible_pdf_finds_faults(tmp_path: Path) -> None:
    import typst

    report = tmp_path / "report.pdf"
    report.write_bytes(typst.compile(b"= Untagged", format="pdf", pdf_tags=False))
    assert "FAIL" in accessibility_faults(report)


def test_the_same_record_gives_the_same_bytes_on_another_machine(contents: PackContents) -> None:
    """Another process with another zone, locale, hash seed and home."""
    script = "from tests.unit.operations.test_quarterly_pack import _contents, digest\nprint(digest(_contents()))"
    other = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": "/nonexistent", "PATH": os.defpath}
    done = subprocess.run(
        (sys.executable, "-c", script), cwd=ROOT, env=other, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(contents)


def digest(contents: PackContents) -> str:
    return sha256(report_pdf(contents) + figures_csv(contents).encode()).hexdigest()


def test_the_table_has_every_row_and_names_what_is_hidden(contents: PackContents) -> None:
    rows = list(csv.DictReader(io.StringIO(figures_csv(contents))))
    assert len(rows) == sum(len(found) for found in contents.figures.values())
    assert {row["hidden"] for row in rows} == {"yes", "no"}
    assert {row["figure"] for row in rows} <= DEFINITIONS.keys()
    assert all(row["quarter"] == "2026-Q3" and row["clock_version"] == "1" for row in rows)


def test_each_figure_has_its_definition() -> None:
    rows = list(csv.DictReader(io.StringIO(definitions_csv())))
    assert [row["figure"] for row in rows] == list(DEFINITIONS)
    assert all(row[column] for row in rows for column in row)


def test_silent_institutions_are_named(contents: PackContents) -> None:
    assert contents.silent == ("training_centre",)
