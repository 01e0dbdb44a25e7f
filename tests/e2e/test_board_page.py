"""The coordinator's board in a browser: institutions that have to act, acknowledgement by keyboard, and no case."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.envelope import COORDINATION
from handoff.record.events.referral import ReferralOpened
from handoff.web.pages.translation import LANGUAGES
from tests.support.dsl import spec
from tests.support.parts.audited import READER
from tests.support.parts.boarded import LATE, REFERENCES, databases, escalations, late_story, served, write_timeline
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.browser import PATIENCE_MS, BrowserErrors, chromium, elsewhere, violations

pytestmark = pytest.mark.slow

RECORD = late_story()
NOW = RECORD.now + timedelta(hours=5)
DAY = (RECORD.now - timedelta(days=1)).date().isoformat()
VIEWS = ("/", "/ageing", f"/ageing?day={DAY}", "/figures")
TOO_WIDE = """[document.documentElement, ...document.querySelectorAll('main *')].filter(
    shown => shown.scrollWidth > shown.clientWidth + 1 && shown.clientWidth > 1
        && getComputedStyle(shown).overflowX != 'visible'
).map(shown => `${shown.tagName} ${shown.className}: ${shown.scrollWidth} > ${shown.clientWidth}`)"""

BEYOND_THE_PAPER = """[...document.querySelectorAll('main *')].filter(
    shown => shown.getBoundingClientRect().right > 1033
).length"""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Board:
    """The served board, its databases, and the browser that visits it."""

    url: str
    jurisdiction: Jurisdiction
    browser: Browser
    errors: BrowserErrors
    signed_in: BrowserContext

    def visit(self, path: str = "/", context: BrowserContext | None = None) -> Page:
        page = (context or self.signed_in).new_page()
        page.set_default_timeout(PATIENCE_MS)
        self.errors.listen(page)
        page.goto(self.url + path)
        return page

    def person(self, **options: Any) -> BrowserContext:
        """Create another browser profile with the same session."""
        context = self.browser.new_context(base_url=self.url, **options)
        context.add_cookies(self.signed_in.cookies())  # type: ignore[arg-type] # the library's own two types differ
        return context

    def recorded(self) -> list[tuple[str, str]]:
        """Return type and value of the events in the coordinator's outbox, in their order."""

        async def read() -> list[tuple[str, str]]:
            connection = await asyncpg.connect(self.jurisdiction.postgres_settings(COORDINATION).dsn)
            try:
                rows = await connection.fetch("SELECT value FROM outbox ORDER BY position")
            finally:
                await connection.close()
            values = [row["value"].decode() for row in rows]
            return [(value.split('"type":"')[1].split('"')[0], value) for value in values]

        found: list[tuple[str, str]] = elsewhere(read())
        return found


async def invited(jurisdiction: Jurisdiction) -> str:
    async with open_pool(jurisdiction.postgres_settings(COORDINATION), max_size=1) as pool:
        return await SignInSessions(pool).create_link(READER, NOW)


@pytest.fixture(autouse=True)
def _pages_are_closed(board: Board) -> Iterator[None]:
    """Each open page has a connection for changes, of which a browser has six."""
    yield
    for page in board.signed_in.pages:
        page.close()


@pytest.fixture(scope="module")
def board(database_jurisdictions: Jurisdictions) -> Iterator[Board]:
    with chromium() as browser, board_of(RECORD, database_jurisdictions, browser) as shared:
        yield shared


@contextmanager
def board_of(record: spec.Record, jurisdictions: Jurisdictions, browser: Browser) -> Iterator[Board]:
    """A board of its own for ``record``."""
    jurisdiction = jurisdictions.planned()
    elsewhere(databases(jurisdiction))
    elsewhere(write_timeline(jurisdiction, record))
    with served(jurisdiction, now=NOW, waiting=escalations(record)) as url:
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900}, locale="en-GB")
        context.request.post(f"{url}/enter/{elsewhere(invited(jurisdiction))}")
        made = Board(url, jurisdiction, browser, BrowserErrors(), context)
        yield made
        assert made.errors.messages == []


def late_row(page: Page) -> Any:
    return page.locator(f"#h-{str(REFERENCES.of(spec.CASE, LATE))[:8]}")


def test_the_board_shows_debtor_segment_and_duty_contact(board: Board) -> None:
    """The late request of the Center for Social Work is unseen: no person opened it, so it is not slow to decide."""
    row = late_row(board.visit())
    for text in ("Center for Social Work", "Police", "case management", "unseen", "late by 5 h", "+383 29 000 101"):
        expect(row).to_contain_text(text)
    sums = board.visit().locator(".institutions tr", has_text="Center for Social Work")
    expect(sums.locator("td").nth(1)).to_have_text("1")


def test_danger_precedes_age(board: Board) -> None:
    urgencies = board.visit().locator(".debts .urgency").all_inner_texts()
    ranks = [("emergency", "high", "normal", "low").index(urgency) for urgency in urgencies]
    assert ranks == sorted(ranks)
    assert len(ranks) == 3


@pytest.mark.parametrize("view", VIEWS)
def test_no_page_contains_a_case_or_a_referral(board: Board, view: str) -> None:
    page = board.visit(view)
    html = page.content()
    for entry in RECORD.entries:
        hidden = {str(entry.event.subject), str(getattr(entry.event.data, "referral", ""))}
        assert not [known for known in hidden if known and "-" in known and known[:8] in html]
    page.close()


def test_a_read_is_recorded_once_and_names_the_person_and_the_part(board: Board) -> None:
    for view in (*VIEWS, *VIEWS):
        board.visit(view).close()
    reads = [value for kind, value in board.recorded() if kind == "board.read.v1" and "acknowledgement" not in value]
    assert len(reads) == 3
    assert all(str(READER) in value for value in reads)
    for access in ("now", "past_day", "figures"):
        assert sum(f'"access":"{access}"' in value for value in reads) == 1


def test_nothing_is_shown_without_a_session(board: Board) -> None:
    with board.browser.new_context(base_url=board.url, locale="en-GB") as stranger:
        for view in (*VIEWS, "/changes"):
            answer = stranger.request.get(view)
            assert answer.status == 401
            assert "Center for Social Work" not in answer.text()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_view_is_accessible_and_fits(board: Board, view: str, width: int) -> None:
    with board.person(viewport={"width": width, "height": 900}, locale="en-GB") as person:
        page = board.visit(view, person)
        assert page.evaluate(TOO_WIDE) == []
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page, "color-contrast") == []


@pytest.mark.parametrize("view", VIEWS)
def test_paper_shows_every_column(board: Board, view: str) -> None:
    with board.person(viewport={"width": 1032, "height": 720}) as person:
        page = board.visit(view, person)
        page.emulate_media(media="print")
        assert page.evaluate(BEYOND_THE_PAPER) == 0
        assert not page.locator(".tabs").is_visible()


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_page_is_in_one_language(board: Board, tag: str) -> None:
    with board.person(locale="de-DE") as person:
        page = board.visit(f"/?lang={tag}", person)
        assert page.locator("html").get_attribute("lang") == tag
        shown = page.locator("#board").inner_text()
        for code in (
            "social_work",
            "case_management",
            "no_deadline",
            "called_agency",
            "Unseen" if tag != "en" else "_",
        ):
            assert code not in shown


def test_the_board_refreshes_when_the_record_has_new_entries(
    board: Board, database_jurisdictions: Jurisdictions
) -> None:
    """A person at the Center for Social Work opens the request: the open page shows it without being loaded again."""
    record = late_story()
    with board_of(record, database_jurisdictions, board.browser) as own:
        page = own.visit()
        expect(late_row(page)).to_contain_text("unseen")
        page.evaluate("window.sameDocument = true")
        record.send(spec.Sent(spec.CSW, ReferralOpened(referral=LATE), timedelta(minutes=1)))
        elsewhere(write_timeline(own.jurisdiction, record))
        expect(late_row(page)).to_contain_text("deciding")
        assert page.evaluate("window.sameDocument")
        page.close()


def test_an_escalation_is_acknowledged_in_place_by_keyboard(board: Board) -> None:
    """With a coded action; who did it is recorded before the acknowledgement itself."""
    page = board.visit()
    row = late_row(page)
    row.locator("select").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    reference = str(escalations(RECORD)[0].reference)
    *_, (read, by), (acknowledged, action) = board.recorded()
    assert (read, acknowledged) == ("board.read.v1", "escalation.acknowledged.v1")
    assert str(READER) in by
    assert reference in by
    assert reference in action
    assert '"action":"reassigned"' in action


def test_the_charts_have_their_numbers_as_tables(board: Board) -> None:
    page = board.visit("/ageing")
    assert (
        page.locator("svg.ageing .mark").count()
        == page.locator("section table").nth(1).locator("tbody tr").count()
        == 3
    )
    titles = page.locator("svg.ageing .mark title").all_text_contents()
    assert all(str(spec.CASE)[:8] not in title for title in titles)
    assert page.locator("svg.ageing text.column").all_text_contents() == [
        "transport",
        "unseen",
        "deciding",
        "acting",
        "closing",
    ]


def test_small_counts_of_a_quarter_are_hidden(board: Board) -> None:
    page = board.visit(f"/figures?quarter={NOW.year}-Q{(NOW.month + 2) // 3}")
    cells = page.locator("table").first.locator("tbody td").all_inner_texts()
    assert cells
    assert not [cell for cell in cells if cell.isdigit() and 0 < int(cell) < 5]
