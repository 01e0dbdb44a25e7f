"""The work for a page of a case of 4,000 entries: what was judged once is not judged again."""

import re
from html import unescape

import asyncpg
import httpx
import pytest

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.audit.pages.paging import PAGE_SIZE
from handoff.judging.strands import StrandJudge
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.codes import ReadPurpose
from handoff.record.events.case import CaseRead
from handoff.record.topics import PROJECTION
from handoff.views.replay.questions import QUESTIONS
from tests.support.dsl.spec import CASE, MINUTE, POLICE, Record, Sent, foundation
from tests.support.parts import proof_record
from tests.support.parts.audited import READER, TOKEN, audit, databases, long_story, write_entries, write_timeline
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.query_plans import QueryLog

_ENTRIES = 4000
_READING = {"Authorization": f"Bearer {TOKEN}", "Read-Purpose": ReadPurpose.AUDIT.value}
_PATHS = (
    f"/cases/{CASE}/timeline",
    *(f"/cases/{CASE}/replay/{name}" for name in QUESTIONS if name not in {"after-withdrawal", "as-of"}),
)


class _Long:
    """A jurisdiction with a long case, its record, and the number of entries judged since the last look."""

    def __init__(self, jurisdiction: Jurisdiction, record: Record) -> None:
        self.jurisdiction = jurisdiction
        self.record = record
        self.judged = 0

    @property
    def rows(self) -> int:
        """Rows of the case and of the directory."""
        return len(foundation()) + len(self.record.entries)

    def taken(self) -> int:
        judged, self.judged = self.judged, 0
        return judged


@pytest.fixture(scope="module")
async def written(database_jurisdictions: Jurisdictions) -> _Long:
    made, record = database_jurisdictions.planned(), long_story(_ENTRIES)
    await databases(made)
    await write_timeline(made, record)
    return _Long(made, record)


@pytest.fixture
def long(written: _Long, monkeypatch: pytest.MonkeyPatch) -> _Long:
    judge = StrandJudge.judge

    def counted(*arguments: object) -> object:
        written.judged += 1
        return judge(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StrandJudge, "judge", counted)
    written.judged = 0
    return written


async def test_every_answer_after_the_first_judges_nothing(long: _Long) -> None:
    """The timeline and the answers to the questions rest on one judgement of the same rows."""
    async with audit(long.jurisdiction) as opened:
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://audit", headers=_READING) as http:
            for number, path in enumerate(_PATHS):
                (await http.get(path)).raise_for_status()
                assert long.taken() == (0 if number else long.rows), path


async def test_a_later_read_judges_the_new_entries_alone(long: _Long) -> None:
    async with open_pool(long.jurisdiction.postgres_settings(PROJECTION, "reader"), max_size=1) as pool:
        timeline = Timeline(pool, proof_record.ORIGIN)
        before = await timeline.history(CASE)
        assert long.taken() == long.rows
        long.record.send(Sent(POLICE, CaseRead(reader=READER, purpose=ReadPurpose.SUPERVISE), MINUTE))
        await write_entries(long.jurisdiction, long.record)
        after = await timeline.history(CASE)
        assert long.taken() == 1
        assert after.own[:-1] == before.own
        assert after == await Timeline(pool, proof_record.ORIGIN).history(CASE)


async def test_the_questions_to_the_database_do_not_grow_with_the_case(long: _Long) -> None:
    """Each read of a case is the same few statements, and returns the case's rows and the directory's once."""
    database = Database(long.jurisdiction.name, PROJECTION, "projection").name
    async with asyncpg.create_pool(long.jurisdiction.postgres.dsn(database), min_size=0) as superuser:
        await superuser.execute("VACUUM ANALYZE timeline.entries")
    async with open_pool(long.jurisdiction.postgres_settings(PROJECTION, "reader"), max_size=1) as pool:
        log, timeline = QueryLog(), Timeline(pool, proof_record.ORIGIN)
        await log.attach(pool)
        await timeline.history(CASE)
        await log.explained(pool)
        await timeline.history(CASE)
        again = await log.explained(pool)
    assert len(again) == 4, "append times, rows, some offsets, handoffs"
    # The rows are found through the index, and the references of the case's escalations among them.
    assert sum(query.entries_read for query in again) <= 2 * long.rows


async def test_an_edited_row_is_judged_again_and_reported(long: _Long) -> None:
    """The cache is by the rows themselves: an edit after the first read is found by the second."""
    database = Database(long.jurisdiction.name, PROJECTION, "projection").name
    async with (
        asyncpg.create_pool(long.jurisdiction.postgres.dsn(database), min_size=0) as superuser,
        open_pool(long.jurisdiction.postgres_settings(PROJECTION, "reader"), max_size=1) as pool,
    ):
        timeline = Timeline(pool, proof_record.ORIGIN)
        honest = await timeline.history(CASE)
        await superuser.execute("ALTER TABLE timeline.entries DISABLE TRIGGER ALL")
        try:
            edit = "UPDATE timeline.entries SET verdict = $2 WHERE record_offset = $1"
            await superuser.execute(edit, honest.own[5].position, "ineffective")
            edited = await timeline.history(CASE)
            await superuser.execute(edit, honest.own[5].position, "effective")
        finally:
            await superuser.execute("ALTER TABLE timeline.entries ENABLE ALWAYS TRIGGER append_only")
        restored = await timeline.history(CASE)
    assert [(one.position, one.column) for one in edited.differences] == [(honest.own[5].position, "verdict")]
    assert edited.own == honest.own
    assert restored == honest
    assert long.taken() == 3 * long.rows


async def test_a_page_shows_a_part_of_the_entries_and_leads_to_the_others(long: _Long) -> None:
    """The newest entries are on the page without a number, and each link to an entry names the page that has it."""
    async with audit(long.jurisdiction) as opened:
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://audit", headers=_READING) as http:
            (await http.get(_PATHS[0])).raise_for_status()
            address, found = f"/timelines/{CASE}", list[int]()
            while True:
                page = (await http.get(address)).raise_for_status().text
                shown = [int(position) for position in re.findall(r'id="e(\d+)"', page)]
                assert 0 < len(shown) <= PAGE_SIZE
                found = [*shown, *found]
                before = re.search(r'href="([^"]*)" rel="prev"', page)
                if before is None:
                    break
                address = unescape(before[1])
            link = re.search(rf'href="([^"#]*/record[^"#]*)#r{shown[0]}"', page)
            assert link is not None
            raw = (await http.get(unescape(link[1]))).text
    first = len(foundation())
    own = [first + n for n, entry in enumerate(long.record.entries) if entry.event.subject == str(CASE)]
    assert found == own
    assert f'id="r{shown[0]}"' in raw
