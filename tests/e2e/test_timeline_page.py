"""The timeline's pages in a browser: by keyboard, with accessibility rules, in four languages, without scripts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.audit.pages.audit_site import audit_site
from handoff.config import DEFAULT_TIME_ZONE
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.record.topics import AUDIT
from handoff.views.replay.questions import QUESTIONS
from handoff.web.pages.translation import LANGUAGES
from tests.support.dsl.builders import nth_id
from tests.support.dsl.spec import CASE
from tests.support.parts.audited import NOW, READER, databases, served, story, write_timeline
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.browser import PATIENCE_MS, BrowserErrors, chromium, elsewhere, violations

pytestmark = pytest.mark.slow

PAGE = f"/timelines/{CASE}"
VIEWS = ("", "/lanes", "/questions", "/changes", "/record", *(f"/questions/{name}" for name in QUESTIONS))
COLOURED = ("", "/lanes", "/questions", "/record", "/questions/as_of")
"""Together these views use every colour."""
PAPER = 1032
"""Width of A4 in landscape between its margins, in the pixels of CSS."""
TOO_WIDE = """[document.documentElement, ...document.querySelectorAll('main *')].filter(
    shown => shown.scrollWidth > shown.clientWidth + 1 && shown.clientWidth > 1
        && getComputedStyle(shown).overflowX != 'visible'
).map(shown => `${shown.tagName} ${shown.className}: ${shown.scrollWidth} > ${shown.clientWidth}`)"""
BEYOND_THE_PAPER = """paper => [...document.querySelectorAll('main *')].filter(
    shown => shown.getBoundingClientRect().right > paper + 1
        || getComputedStyle(shown).overflowX == 'auto' && shown.scrollWidth > shown.clientWidth + 1
).map(shown => `${shown.tagName} ${shown.className}`)"""
LAST = len({entry.at for entry in story().entries if entry.event.case_id is not None}) + 1


@dataclass(frozen=True)
class Site:
    """The served audit, its database, and the browser that visits it."""

    url: str
    jurisdiction: Jurisdiction
    browser: Browser
    errors: BrowserErrors
    signed_in: BrowserContext

    def link(self) -> str:
        """Create a one-time link."""
        return f"{self.url}/enter/{elsewhere(invited(self.jurisdiction))}"

    def visit(self, below: str = "", context: BrowserContext | None = None, **options: Any) -> Page:
        """Open a page of the case; of the site, if ``below`` is the root or a sign-in link."""
        page = (context or self.signed_in).new_page(**options)
        page.set_default_timeout(PATIENCE_MS)
        self.errors.listen(page)
        page.goto(self.url + (below if below.startswith("/enter") or below == "/" else PAGE + below))
        return page

    def person(self, **options: Any) -> BrowserContext:
        """Create another browser profile with the same session."""
        context = self.browser.new_context(base_url=self.url, **options)
        context.add_cookies(self.signed_in.cookies())  # type: ignore[arg-type] # the library's own two types differ
        return context


async def invited(jurisdiction: Jurisdiction) -> str:
    async with open_pool(jurisdiction.postgres_settings(AUDIT), max_size=1) as pool:
        return await SignInSessions(pool).create_link(READER, NOW)


# Long enough for a busy machine.
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def site(database_jurisdictions: Jurisdictions) -> Iterator[Site]:
    jurisdiction = database_jurisdictions.planned()
    elsewhere(databases(jurisdiction))
    elsewhere(write_timeline(jurisdiction, story()))
    with served(jurisdiction) as url, chromium() as browser:
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900}, locale="en-GB")
        made = Site(url, jurisdiction, browser, BrowserErrors(), context)
        context.request.post(made.link())
        context.request.post(f"{url}{PAGE}/purpose", form={"purpose": "audit"})
        yield made
        assert made.errors.messages == []


def test_an_auditor_signs_in_and_opens_a_case_by_keyboard_only(site: Site) -> None:
    """From the link to the case: a button, an id and a purpose, with the usual keys."""
    with site.browser.new_context(base_url=site.url, locale="en-GB") as stranger:
        page = site.visit(site.link().removeprefix(site.url), stranger)
        focus(page, "button.primary").press("Enter")
        expect(page.locator("h1")).to_have_text("Open a case")
        focus(page, "#case")
        page.keyboard.type(str(CASE))
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Why are you opening this case?")
        focus(page, "input[name=purpose]").press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("11111111")


def focus(page: Page, wanted: str) -> Any:
    """Press Tab until the element has the focus; fail if it is not reachable."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return page.keyboard
    raise AssertionError(f"the Tab key does not lead to {wanted}")


def test_the_slider_moves_through_the_case_by_keyboard(site: Site) -> None:
    """An arrow key shows the previous step: later entries disappear, the focus stays, and the change is announced."""
    page = site.visit()
    focus(page, "#step")
    expect(page.locator("tr.entry").last).to_contain_text("started")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#step")).to_have_value(str(LAST - 1))
    expect(page.locator("#announcement")).to_contain_text(f"step {LAST - 1} of {LAST}")
    expect(page.locator("#step")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("tr.entry")).to_have_count(1)
    expect(page.locator("tr.entry .what")).to_contain_text("opened the case")
    expect(page.locator("#step")).to_be_focused()
    expect(page.locator("#step")).to_have_attribute("aria-valuetext", "2026-01-05 23:40:01 CET")
    expect(page.locator("#announcement")).to_contain_text(f"step 1 of {LAST}")
    assert "step=1&" in page.url
    page.locator("#later").click()
    expect(page.locator("tr.entry")).to_have_count(2)
    page.go_back()
    expect(page.locator("tr.entry")).to_have_count(1)


def test_no_content_of_a_case_is_stored_in_the_browser(site: Site) -> None:
    """Only addresses are stored, as in the browser's history; after signing out the page shows no case."""
    with site.browser.new_context(base_url=site.url, locale="en-GB") as stranger:
        stranger.request.post(site.link())
        stranger.request.post(f"{PAGE}/purpose", form={"purpose": "audit"})
        page = site.visit(context=stranger)
        page.locator("#earlier").click()
        expect(page.locator("#announcement")).to_contain_text(f"step {LAST - 1} of {LAST}")
        kept = page.evaluate("[...Object.entries(localStorage), ...Object.entries(sessionStorage)]")
        assert all(value.startswith(PAGE) and len(value) < 200 for _, value in kept), kept
        stranger.request.post("/leave")
        page.locator("#earlier").click()
        expect(page.locator("h1")).to_have_text("You are not signed in")


def test_the_case_is_shown_at_the_time_of_the_slider(site: Site) -> None:
    """A request is open before its rejection and rejected afterwards; the state is text, not a colour alone."""
    page = site.visit("?step=5")
    expect(page.locator(".chip")).to_have_count(1)
    expect(page.locator(".chip")).to_contain_text("requested")
    page = site.visit("?step=6")
    expect(page.locator(".chip")).to_contain_text("rejected")
    page = site.visit("/questions/as_of?as_of=2026-01-06T00:17:00%2B01:00")
    expect(page.locator("article").last).to_contain_text("Shelter in Gjakova")
    expect(page.locator("article").last).to_contain_text("requested")


def test_everything_works_without_scripts(site: Site) -> None:
    """Links and a form with a button lead to the same addresses as the slider."""
    with site.person(java_script_enabled=False) as person:
        page = site.visit(context=person)
        page.locator("#earlier").click()
        assert page.url.endswith(f"step={LAST - 1}")
        page.locator("#filters summary").click()
        page.locator("#agency").select_option("legal_aid")
        page.locator("#show").click()
        assert "agency=legal_aid" in page.url
        assert f"step={LAST - 1}" in page.url
        page.locator("#tab-lanes").click()
        assert page.locator("svg.drawing g.bar").count() > 0
        page.locator("#tab-changes").click()
        page.locator("#since").select_option("3")
        page.locator(".compare button").click()
        assert page.locator("#since").input_value() == "3"


def test_filters_show_the_matching_entries(site: Site) -> None:
    """Ineffective entries only: the lost race, with its reason as text; clearing the box shows the others."""
    page = site.visit()
    page.locator("#filters summary").click()
    page.locator("#ineffective").check()
    expect(page.locator("tr.entry")).to_have_count(1)
    expect(page.locator(".filtered")).to_contain_text("ineffective entries only")
    expect(page.locator("tr.entry")).to_contain_text("Ineffective: the release was withdrawn")
    page.locator("#ineffective").uncheck()
    page.locator("#type").select_option("referral.requested.v1")
    expect(page.locator("tr.entry")).to_have_count(4)
    page.locator("#unfiltered").click()
    expect(page.locator(".filtered")).to_have_count(0)
    assert page.locator("tr.entry").count() > 4


def test_the_text_of_the_swimlanes_has_every_shape_of_the_drawing(site: Site) -> None:
    """Each bar and each dot of the drawing is in the list below it, with its duration or its time."""
    page = site.visit("/lanes")
    drawn = page.locator("svg.drawing title").all_text_contents()
    listed = page.locator(".lanes-text li").all_text_contents()
    assert len(drawn) == len(listed)
    assert all(any(title in line for line in listed) for title in drawn)
    assert any("30 min" in title for title in drawn)


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_swimlanes_show_the_full_name_of_every_institution(site: Site, code: str) -> None:
    """No name is cut off in any language."""
    with site.person() as person:
        page = site.visit(f"/lanes?lang={code}", person)
        names = page.locator(".names div.lane")
        assert names.count() == page.locator("svg.drawing rect.lane").count()
        is_cut = "n.scrollWidth > n.clientWidth || n.scrollHeight > n.clientHeight"
        assert names.evaluate_all(f"all => all.filter(n => {is_cut}).map(n => n.innerText)") == []


def test_the_swimlanes_of_a_short_case_fill_the_panel(site: Site) -> None:
    """The few times of a short case are spread over the width, and no label is cut off."""
    page = site.visit("/lanes?step=6")
    reach = "all => Math.max(...all.map(shape => shape.getBoundingClientRect().right))"
    panel: float = page.locator(".lanes .scroll").evaluate("panel => panel.getBoundingClientRect().right")
    assert panel * 0.85 < page.locator("svg.drawing circle").evaluate_all(reach) < panel
    assert page.locator("svg.drawing text").evaluate_all(reach) < panel


def test_the_integrity_status_shows_anchored_entries_and_cosigners(site: Site) -> None:
    """The checkpoint covers all entries of the case but the last, and has enough cosignatures."""
    statuses = site.visit().locator(".status")
    expect(statuses.nth(0)).to_contain_text("29 of 30 entries are covered by checkpoint")
    expect(statuses.nth(1)).to_contain_text("Monitor")
    expect(statuses.nth(2)).to_contain_text("2026-01-10 22:40:00 CET")


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_accessible(site: Site, view: str) -> None:
    """No violation of WCAG 2.2 AA, with every fold open."""
    page = site.visit(view)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert violations(page) == []
    page.close()


@pytest.mark.parametrize("view", COLOURED)
def test_dark_colours_have_enough_contrast(site: Site, view: str) -> None:
    """Every text has enough contrast in the dark colour scheme."""
    page = site.visit(view)
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert violations(page, "color-contrast") == []
    page.close()


def test_the_pages_before_the_case_are_accessible(site: Site) -> None:
    """Sign-in, search, purpose and problem pages."""
    for below in ("/enter/x", "/"):
        assert violations(site.visit(below)) == []
    with site.browser.new_context(base_url=site.url) as stranger:
        page = site.visit(context=stranger)
        expect(page.locator("h1")).to_have_text("You are not signed in")
        assert violations(page) == []
        stranger.request.post(site.link())
        page.reload()
        expect(page.locator("h1")).to_have_text("Why are you opening this case?")
        assert violations(page) == []
        page.goto(f"/timelines/{nth_id(99)}")
        expect(page.locator("h1")).to_have_text("The record has no entry about this case")


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_page_is_in_one_language_and_declares_it(site: Site, tag: str) -> None:
    """The language is kept for the next page; no code is shown that has a translation."""
    tr = audit_site(ZoneInfo(DEFAULT_TIME_ZONE)).translation(tag)
    with site.person(locale="de-DE") as person:
        page = site.visit(f"?lang={tag}", person)
        assert page.locator("html").get_attribute("lang") == tag
        page.locator("#tab-questions").click()
        expect(page.locator("#view-title")).to_have_text(tr("Questions about this case"))
        for question in QUESTIONS.values():
            expect(page.locator(".questions")).to_contain_text(tr(question.asks))
        page.goto(PAGE)
        shown = page.locator("#replay").inner_text()
        assert tr.code("Event", "referral.rejected") in shown
        assert tr.code("Member", "social_work") in shown
        for code in ("no_capacity", "referral.", "social_work", "release_withdrawn", "legal_aid"):
            assert code not in shown


FIRST_CONTENT = "tr.entry, svg.drawing, .questions li, .compare, details.raw, article, table.answer, .found"


@pytest.mark.parametrize("view", VIEWS)
def test_content_starts_in_the_upper_half_of_the_screen(site: Site, view: str) -> None:
    """Of 900 pixels, with four referrals in the header: the integrity takes one line, the filters one button."""
    page = site.visit(view)
    top: float = page.locator(FIRST_CONTENT).first.evaluate("shown => shown.getBoundingClientRect().top")
    assert top <= 500, view
    assert page.locator(".integrity summary").evaluate("line => line.getBoundingClientRect().height") <= 40
    page.close()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_on_the_screen(site: Site, view: str) -> None:
    """At 1280 pixels nothing scrolls sideways, not even inside a panel."""
    page = site.visit(view)
    assert page.evaluate(TOO_WIDE) == []
    page.close()


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "/lanes"])
def test_on_a_phone_a_row_is_a_card(site: Site, view: str) -> None:
    """At 390 pixels nothing scrolls sideways, and each value of an answer has its column's name beside it."""
    with site.person(viewport={"width": 390, "height": 844}) as person:
        page = site.visit(view, person)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate(TOO_WIDE) == []
        labels = page.locator("table.answer td").evaluate_all(
            "all => all.map(td => getComputedStyle(td, '::before').content)"
        )
        assert all(len(label) > 2 for label in labels)


@pytest.mark.parametrize("view", VIEWS)
def test_paper_cuts_nothing_off(site: Site, view: str) -> None:
    """On A4 in landscape every value, folded or not, is within the margins, and the full id of the case is readable."""
    with site.person(viewport={"width": PAPER, "height": 720}) as person:
        page = site.visit(view, person)
        page.emulate_media(media="print")
        assert page.evaluate(BEYOND_THE_PAPER, PAPER) == []
        expect(page.locator("h1")).to_contain_text(str(CASE))
        assert page.locator("h1").is_visible()
        folds = page.locator("main details:not(.filters) > :not(summary)").all()
        assert [fold for fold in folds if not fold.is_visible()] == []


def test_questions_with_something_to_inspect_come_first(site: Site) -> None:
    flags = site.visit("/questions").locator(".questions li").evaluate_all("all => all.map(li => li.className)")
    assert flags == sorted(flags, key=lambda flag: flag != "notable")
    assert set(flags) == {"notable", "calm"}


def test_the_list_shows_exceptions_only(site: Site) -> None:
    """A basis is set out once, where it was recorded; only entries without a checkpoint mention it."""
    rows = site.visit().locator("tr.entry").all_inner_texts()
    assert sum("licensed shelter" in row for row in rows) == 1
    named = [re.search(r"basis #[0-9]+", " ".join(row.split())) for row in rows]
    assert sum(found is not None for found in named) == 5
    assert [("not anchored yet" in row) for row in rows] == [False] * (len(rows) - 1) + [True]


def test_a_visit_adds_no_step_to_the_slider_of_the_visitor(site: Site) -> None:
    """Reads are entries of the case; those of the person who looks are no steps."""
    expect(site.visit().locator("#step")).to_have_attribute("max", str(LAST))


def test_a_narrow_screen_needs_no_horizontal_scrolling(site: Site) -> None:
    """At 320 pixels the page fits; a wider table or drawing scrolls inside its panel."""
    with site.person(viewport={"width": 320, "height": 640}) as person:
        for view in ("", "/lanes", "/questions", "/record"):
            page = site.visit(view, person)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, view


def test_a_printed_page_omits_the_controls(site: Site) -> None:
    """It has the time and every entry, but not the header, the tabs and the slider."""
    page = site.visit("?step=9")
    page.emulate_media(media="print")
    assert page.locator(".when").is_visible()
    assert page.locator("tr.entry").first.is_visible()
    for gone in (".site-header", ".tabs", "#step", ".exports"):
        assert not page.locator(gone).is_visible()


def test_exports_are_downloaded_as_files(site: Site) -> None:
    """Each file name contains the id of the case."""
    page = site.visit()
    for suffix in ("csv", "xes", "bundle"):
        with page.expect_download() as waiting:
            page.locator(f"a[download][href*='/exports/{suffix}']").click()
        assert waiting.value.suggested_filename == f"case-{CASE}.{suffix}"
