"""The quarterly pack of a real timeline."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from handoff.config import jurisdiction_plan
from handoff.operations.quarterly_pack.contents import PackContents
from handoff.operations.quarterly_pack.write import PackRefused, read_contents, write_pack
from handoff.record.delivery import from_ms
from handoff.views.figures.period import Quarter
from tests.support.dsl.builders import signed
from tests.support.parts.record_writer import RecordedCase, RecordWriter, record_writer
from tests.support.parts.running_projection import projecting
from tests.support.parts.stack import PRIZREN, Jurisdictions

CASES = 6


@pytest.fixture(scope="module")
async def writer(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RecordWriter]:
    """Timeline of six complete cases and one unanswered request."""
    async with record_writer(jurisdictions, tmp_path_factory.mktemp("pack")) as kept:
        async with projecting(kept):
            await kept.found()
            for number in range(CASES):
                await kept.append(*RecordedCase(kept.town, number).whole())
            await kept.append(*(signed(event) for event in RecordedCase(kept.town, 50).request()))
            await kept.until_caught_up()
        yield kept


async def _contents(writer: RecordWriter, earlier: timedelta = timedelta()) -> PackContents:
    ((record_ms,),) = await writer.query("timeline_record_ms")
    now = from_ms(record_ms)
    zone = ZoneInfo("Europe/Belgrade")
    local = now.astimezone(zone)
    quarter = Quarter(local.year, (local.month + 2) // 3, zone)
    as_of = now - earlier if earlier else None
    return await read_contents(writer.postgres("reader"), jurisdiction_plan(PRIZREN), quarter, as_of)


async def test_the_pack_counts_what_is_on_the_record(writer: RecordWriter) -> None:
    contents = await _contents(writer)
    (row,) = contents.figures["until_answered"]
    # One of seven is not answered: neither the seven nor the six can be published beside each other.
    assert row.group == (("service", "shelter"), ("urgency", "emergency"))
    assert row.is_hidden
    (delay,) = contents.figures["reporting_delay"]
    assert (delay.denominator, delay.numerator) == (CASES + 1, CASES + 1)
    assert "training_centre" in contents.silent
    assert "shelter" not in contents.silent


async def test_the_same_record_gives_the_same_pack(writer: RecordWriter, tmp_path: Path) -> None:
    first = write_pack(await _contents(writer), tmp_path / "first")
    second = write_pack(await _contents(writer), tmp_path / "second")
    assert first.sha256 == second.sha256
    assert {path.name for path in first.directory.iterdir()} == set(first.files)
    about = json.loads((first.directory / "about.json").read_text())
    assert (about["smallest_cell"], about["clock_version"]) == (5, 1)
    with (first.directory / "figures.csv").open(newline="") as table:
        assert {row["figure"] for row in csv.DictReader(table)} == {c for c, rows in _figures(await _contents(writer))}


def _figures(contents: PackContents) -> list[tuple[str, object]]:
    return [(code, rows) for code, rows in contents.figures.items() if rows]


async def test_nothing_of_a_case_is_in_a_pack(writer: RecordWriter, tmp_path: Path) -> None:
    pack = write_pack(await _contents(writer), tmp_path / "pack")
    everything = b"".join((pack.directory / name).read_bytes() for name in pack.files)
    for number in range(CASES):
        assert str(RecordedCase(writer.town, number).case).encode() not in everything


async def test_a_pack_is_written_once_and_never_of_the_future(writer: RecordWriter, tmp_path: Path) -> None:
    contents = await _contents(writer)
    write_pack(contents, tmp_path / "pack")
    with pytest.raises(PackRefused, match="exists"):
        write_pack(contents, tmp_path / "pack")
    with pytest.raises(PackRefused, match="newest record time"):
        await _contents(writer, earlier=-timedelta(hours=1))


async def test_an_earlier_moment_gives_an_earlier_pack(writer: RecordWriter) -> None:
    contents = await _contents(writer, earlier=timedelta(days=1))
    assert not any(row.denominator for row in contents.figures["until_answered"])
