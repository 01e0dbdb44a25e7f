"""Import of past handovers into a member's database: whole, once, and again after a kill."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from handoff.adapters.postgres.past_handover_store import ImportReport, past_handover_store
from handoff.config import CONFIG_VARIABLE, KafkaSettings, PostgresSettings, ProcessSettings
from handoff.operations.past_handovers.baseline import baselines
from handoff.operations.past_handovers.event_log import UnreadableLog
from handoff.operations.past_handovers.importer import ImportRefused, import_past_handovers
from handoff.operations.past_handovers.mapping import read_mapping
from handoff.operations.setup.jurisdiction import Jurisdiction
from tests.support.parts.event_logs import MAPPING, XES_MAPPING, long_log, write_csv, write_mapping, write_xes
from tests.support.parts.settings_file import write_settings
from tests.support.parts.stack import Jurisdictions

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = ("past_imports", "past_refusals", "past_events", "past_handovers")


@pytest_asyncio.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    return await database_jurisdictions.with_databases()


@pytest_asyncio.fixture
async def database(jurisdiction: Jurisdiction) -> PostgresSettings:
    settings = jurisdiction.postgres_settings("coordination")
    async with past_handover_store(settings) as store:
        await store.forget("past")
    return settings


def _settings(jurisdiction: Jurisdiction) -> ProcessSettings:
    return ProcessSettings(
        jurisdiction="prizren",
        generation=1,
        genesis_sha256="0" * 64,
        member="coordination",
        kafka=KafkaSettings(
            bootstrap_servers="localhost:1", username="none", password=SecretStr("none"),
            security_protocol="SASL_PLAINTEXT",
        ),
        postgres=jurisdiction.postgres_settings("coordination"),
    )  # fmt: skip


async def _import(
    database: PostgresSettings, log: Path, mapping: str = MAPPING, *, replace: bool = False
) -> ImportReport:
    read = read_mapping(write_mapping(log.with_name("mapping.toml"), mapping))
    return await import_past_handovers(database, log, read, NOW, replace=replace)


async def _stored(database: PostgresSettings) -> dict[str, list[tuple[object, ...]]]:
    """All rows but the digests of file and salt."""
    connection = await asyncpg.connect(database.dsn)
    try:
        return {
            table: sorted(
                tuple(row.values())[3 if table == "past_imports" else 0 :]
                for row in await connection.fetch(f"SELECT * FROM {table}")
            )
            for table in TABLES
        }
    finally:
        await connection.close()


async def test_every_event_is_imported_or_refused_with_a_reason(database: PostgresSettings, tmp_path: Path) -> None:
    rows = [*long_log(3), ("case 0", "lunch", "2020-01-01T00:00:00Z", "csw"), ("", "ask", "2020-01-01T00:00:00Z", "x")]
    report = await _import(database, write_csv(tmp_path / "log.csv", rows))
    refused = {each.reason: (each.count, each.examples) for each in report.refused}
    assert refused == {
        "no_request": (3, (13, 14, 15)),
        "activity_not_mapped": (1, (16,)),
        "case_missing": (1, (17,)),
    }
    assert (report.events, report.imported, report.handovers) == (17, 12, 3)
    (found,) = await baselines(database)
    assert [(row.source, row.target, row.until_answered.p50) for row in found.figures] == [
        ("police", "csw", 2 * 86_400)
    ]


async def test_a_repeated_import_changes_nothing(database: PostgresSettings, tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", long_log(20))
    first, stored = await _import(database, log), await _stored(database)
    assert await _import(database, log) == first
    assert await _stored(database) == stored


async def test_the_same_log_in_csv_and_in_xes_gives_equal_figures(database: PostgresSettings, tmp_path: Path) -> None:
    rows = long_log(40)
    await _import(database, write_csv(tmp_path / "log.csv", rows))
    from_csv = await baselines(database)
    await _import(database, write_xes(tmp_path / "log.xes.gz", rows), XES_MAPPING, replace=True)
    assert await baselines(database) == from_csv


@pytest.mark.parametrize(
    "kill",
    [
        ("save_events", "2", "before"),
        ("save_events", "2", "after"),
        ("finish_reading", "1", "after"),
        ("save_cases", "2", "before"),
        ("save_cases", "2", "after"),
        ("finish", "1", "before"),
    ],
    ids=" ".join,
)
async def test_an_import_that_was_killed_ends_with_the_same_result(
    database: PostgresSettings, jurisdiction: Jurisdiction, kill: tuple[str, str, str], tmp_path: Path
) -> None:
    log = write_csv(tmp_path / "log.csv", long_log(1_500))
    whole, expected = await _import(database, log), await _stored(database)
    async with past_handover_store(database) as store:
        await store.forget("past")
    settings = write_settings(_settings(jurisdiction), tmp_path / "coordination.toml")
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.parts.killed_import", str(log), str(tmp_path / "mapping.toml"), *kill,
        cwd=ROOT, env={**os.environ, CONFIG_VARIABLE: str(settings)},
    )  # fmt: skip
    assert await killed.wait() == -signal.SIGKILL
    assert await _import(database, log) == whole
    assert await _stored(database) == expected


async def test_another_file_under_the_same_name_is_refused_unless_it_replaces(
    database: PostgresSettings, tmp_path: Path
) -> None:
    await _import(database, write_csv(tmp_path / "one.csv", long_log(2)))
    other = write_csv(tmp_path / "two.csv", long_log(3))
    with pytest.raises(ImportRefused, match="another file"):
        await _import(database, other)
    with pytest.raises(ImportRefused, match="another mapping"):
        await _import(database, tmp_path / "one.csv", MAPPING.replace('"lunch"', "").replace('["wait"]', '["pause"]'))
    assert (await _import(database, other, replace=True)).handovers == 3


async def test_two_imports_of_one_name_do_not_run_together(database: PostgresSettings, tmp_path: Path) -> None:
    async with past_handover_store(database) as store:
        assert await store.lock("past")
        with pytest.raises(ImportRefused, match="another import"):
            await _import(database, write_csv(tmp_path / "log.csv", long_log(1)))


async def test_of_an_unreadable_file_nothing_remains(database: PostgresSettings, tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", long_log(1_500))
    log.write_text(log.read_text() + '"1,ask')
    with pytest.raises(UnreadableLog):
        await _import(database, log)
    assert not any((await _stored(database)).values())


async def test_nothing_of_a_case_remains_after_an_import(database: PostgresSettings, tmp_path: Path) -> None:
    """Neither its id nor a key that is derived from it: the salt and the events are deleted."""
    await _import(database, write_csv(tmp_path / "log.csv", long_log(2)))
    stored = await _stored(database)
    assert stored["past_events"] == []
    assert "case 0" not in repr(stored)
    async with past_handover_store(database) as store:
        assert (await store.find("past")).salt is None  # type: ignore[union-attr]
