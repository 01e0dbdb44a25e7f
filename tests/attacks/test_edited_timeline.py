"""A superuser edits the timeline's database: pages and API judge the raw entries again and say what differs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from handoff.adapters.postgres.case_reader import CaseReader
from handoff.adapters.postgres.pool import open_pool
from handoff.audit.status_check import StatusCheck
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.proof.log.entry import PARTITION, LogEntry
from handoff.record import signing
from handoff.record.codec import encode
from handoff.record.codes import ReadPurpose
from handoff.record.topics import AUDIT, PROJECTION
from tests.support.dsl import spec
from tests.support.dsl.spec import CASE
from tests.support.parts import proof_record
from tests.support.parts.audited import NOW, READER, TOKEN, audit, databases, story, write_timeline
from tests.support.parts.stack import Jurisdictions

_TIMELINE, _REPLAY = f"/cases/{CASE}/timeline", f"/cases/{CASE}/replay/chain"
_READING = {"Authorization": f"Bearer {TOKEN}", "Read-Purpose": ReadPurpose.AUDIT.value}
_TARGET = "event_type = 'referral.accepted.v1' AND verdict = 'effective' AND emitter = 'shelter_gjakova'"
_EDITS = {
    "verdict": f"UPDATE timeline.entries SET verdict = 'ineffective', reason = 'release_withdrawn' WHERE {_TARGET}",
    "record time": f"UPDATE timeline.entries SET record_ms = record_ms + 600000 WHERE {_TARGET}",
    "hidden entry": f"DELETE FROM timeline.entries WHERE {_TARGET}",
}
"""The edited column → the statement that edits it."""

_HANDOFFS = {
    "state": "UPDATE timeline.handoffs SET state = 'failed' WHERE state = 'in-progress' AND hop = 1",
    "answered_at": "UPDATE timeline.handoffs SET answered_ms = answered_ms - 600000 WHERE hop = 1",
    "": "DELETE FROM timeline.handoffs WHERE hop = 1",
}
"""Field of a handoff → the statement that edits it; the last deletes the row."""

_COLUMNS = {"verdict": {"verdict", "reason"}, "record time": {"record_ms"}, "hidden entry": {"entry", "previous_leaf"}}
"""Columns that the answer names, by edit."""


@pytest.fixture(scope="module")
async def jurisdiction(database_jurisdictions: Jurisdictions) -> Jurisdiction:
    """A jurisdiction with the audit's database and a timeline, and with nothing on the broker."""
    made = database_jurisdictions.planned()
    await databases(made)
    await write_timeline(made, story())
    return made


@asynccontextmanager
async def _superuser(jurisdiction: Jurisdiction) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection that may edit the timeline, which is afterwards as it was."""
    database = Database(jurisdiction.name, PROJECTION, "projection").name
    connection = await asyncpg.connect(jurisdiction.postgres.dsn(database))
    try:
        await connection.execute("ALTER TABLE timeline.entries DISABLE TRIGGER ALL")
        await connection.execute("CREATE TEMPORARY TABLE kept AS TABLE timeline.entries")
        await connection.execute("CREATE TEMPORARY TABLE kept_handoffs AS TABLE timeline.handoffs")
        yield connection
    finally:
        await connection.execute("TRUNCATE timeline.entries")
        await connection.execute("INSERT INTO timeline.entries TABLE kept")
        await connection.execute("TRUNCATE timeline.handoffs; INSERT INTO timeline.handoffs TABLE kept_handoffs")
        await connection.execute("ALTER TABLE timeline.entries ENABLE ALWAYS TRIGGER append_only")
        await connection.close()


@asynccontextmanager
async def _edited(jurisdiction: Jurisdiction, statement: str) -> AsyncIterator[None]:
    """The timeline under an edit that a superuser makes."""
    async with _superuser(jurisdiction) as connection:
        assert (await connection.execute(statement)).endswith(" 1"), "the edit meets one entry"
        yield


async def _read(jurisdiction: Jurisdiction, path: str) -> httpx.Response:
    async with audit(jurisdiction) as opened:
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://audit", headers=_READING) as http:
            return await http.get(path)


@pytest.mark.parametrize("path", [_TIMELINE, _REPLAY], ids=["timeline", "replay"])
@pytest.mark.parametrize("edit", sorted(_EDITS))
async def test_an_edit_is_not_shown_as_what_is_proven(jurisdiction: Jurisdiction, edit: str, path: str) -> None:
    """The answer is the one that the raw entries give, or it reports that the database differs from them."""
    honest = await _read(jurisdiction, path)
    honest.raise_for_status()
    async with _edited(jurisdiction, _EDITS[edit]):
        shown = await _read(jurisdiction, path)
    assert "differs" not in honest.json()
    differs = {one["column"] for one in shown.json().pop("differs")}
    assert differs >= _COLUMNS[edit]
    if edit != "hidden entry":
        assert {name: value for name, value in shown.json().items() if name != "differs"} == honest.json()


@pytest.mark.parametrize("field", sorted(_HANDOFFS))
async def test_figures_that_were_edited_are_named(jurisdiction: Jurisdiction, field: str) -> None:
    """The stored handoffs, from which figures are computed, are compared with the judged entries of the case."""
    async with _edited(jurisdiction, _HANDOFFS[field]):
        shown = (await _read(jurisdiction, _TIMELINE)).json()
    assert {one["column"] for one in shown["differs"]} == {f"handoffs.{field}".rstrip(".")}


_ABOUT_STATUS = f"FROM timeline.entries WHERE key <> '{CASE}' AND reference IS NOT NULL"
_STATUS = f"WHERE record_offset = (SELECT max(record_offset) {_ABOUT_STATUS})"
_STATUS_EDITS = {
    "reference": f"UPDATE timeline.entries SET reference = NULL {_STATUS}",
    "verdict": f"UPDATE timeline.entries SET verdict = 'ineffective', reason = 'already' {_STATUS}",
    "hidden entry": f"DELETE FROM timeline.entries {_STATUS}",
}


@pytest.mark.parametrize("edit", sorted(_STATUS_EDITS))
async def test_an_escalation_hidden_from_its_case_is_found(jurisdiction: Jurisdiction, edit: str) -> None:
    """A case shows its own escalations alone; the whole strand about the jurisdiction is judged and compared."""
    settings = jurisdiction.postgres_settings(PROJECTION, "reader")
    async with open_pool(settings, max_size=2) as pool:

        def check() -> StatusCheck:
            trust = proof_record.trust(genesis=signing.sha256(encode(spec.founding())))
            reader = CaseReader(pool, settings, proof_record.ORIGIN, lambda: trust)
            return StatusCheck(reader.status_differences)

        honest = check()
        await honest.check()
        assert honest.differences == ()
        edited = check()
        async with _edited(jurisdiction, _STATUS_EDITS[edit]):
            with capture_logs() as logs:
                await edited.check()
    assert {one.column for one in edited.differences} >= {"entry" if edit == "hidden entry" else edit}
    assert [line["log_level"] for line in logs if line["event"] == "status_check.failed"] == ["critical"]


async def _relink(connection: asyncpg.Connection) -> int:
    """Move an anchored entry of the case by a millisecond, with every hash of the strand recomputed after it."""
    rows = await connection.fetch(
        "SELECT record_offset, appended_ms, record_hash, case_tag, tag_sequence, previous_leaf, leaf"
        "  FROM timeline.entries WHERE key = $1 ORDER BY record_offset",
        str(CASE).encode(),
    )
    moved, previous = rows[1]["record_offset"], rows[0]["leaf"]
    await connection.execute(
        "UPDATE timeline.entries SET appended_ms = appended_ms + 1, record_ms = record_ms + 1 WHERE record_offset = $1",
        moved,
    )
    for row in rows[1:]:
        offset, at = row["record_offset"], row["appended_ms"] + (row["record_offset"] == moved)
        entry = LogEntry(PARTITION, offset, at, row["record_hash"], row["case_tag"], row["tag_sequence"], previous)
        await connection.execute(
            "UPDATE timeline.entries SET previous_leaf = $2, leaf = $3 WHERE record_offset = $1",
            offset,
            previous,
            entry.leaf_hash(),
        )
        previous = entry.leaf_hash()
    return int(moved)


async def test_an_edit_with_all_hashes_recomputed_is_not_under_the_checkpoint(jurisdiction: Jurisdiction) -> None:
    """Chains and verdicts fit; the cosigned tree does not include the entry, so nothing is called witnessed."""
    honest = (await _read(jurisdiction, _TIMELINE)).json()
    async with _superuser(jurisdiction) as connection:
        moved = await _relink(connection)
        shown = (await _read(jurisdiction, _TIMELINE)).json()
        asked = await _read(jurisdiction, f"/cases/{CASE}/replay/completeness")
    columns = {one["column"] for one in shown["differs"]}
    assert columns == {"inclusion"}
    assert moved in {one["position"] for one in shown["differs"]}
    assert (honest["checkpoint"]["witnessed"], shown["checkpoint"]["witnessed"]) == (True, False)
    assert {entry["anchored"] for entry in shown["entries"] if entry["position"] == moved} == {False}
    assert all(entry["anchored"] for entry in honest["entries"] if entry["position"] == moved)
    assert moved in {row["positions"][0] for row in asked.json()["rows"] if row["why"] == "not_included"}


async def test_a_session_s_cookie_belongs_to_one_host(jurisdiction: Jurisdiction) -> None:
    """Behind a proxy that declares an encrypted connection, the cookie has the prefix `__Host-` and is Secure."""
    owner = await asyncpg.connect(jurisdiction.postgres_settings(AUDIT, "owner").dsn)
    await owner.execute("TRUNCATE sessions, sign_in_links")
    await owner.close()
    async with audit(jurisdiction) as opened:
        link = await opened.sessions.create_link(READER, NOW)
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://audit") as http:
            entered = await http.post(f"/enter/{link}", headers={"X-Forwarded-Proto": "https"})
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "; Secure" in cookie
    assert "; Path=/" in cookie
    assert "Domain" not in cookie
