"""The audit's pages are translated into four languages, to the last code."""

from zoneinfo import ZoneInfo

import pytest

from handoff.audit.pages.audit_site import audit_site
from handoff.contract import catalogues
from handoff.contract.catalogues import messages
from handoff.web.pages import cyrillic
from handoff.web.pages.translation import LANGUAGES, choose_language, read_catalogue

MESSAGES = messages()
EACH_CATALOGUE = pytest.mark.parametrize(("package", "language"), [(p, tag) for p in MESSAGES for tag in LANGUAGES])


@EACH_CATALOGUE
def test_every_message_of_the_pages_is_translated(package: str, language: str) -> None:
    """Every sentence of a page, every code that an event may carry, and every question has its translation."""
    known = read_catalogue(package, language)
    assert {message for message in MESSAGES[package] if not known.get(message)} == set()


@EACH_CATALOGUE
def test_no_catalogue_holds_an_unused_message(package: str, language: str) -> None:
    """A message that is no longer used is removed, so that it is not translated again."""
    assert set(read_catalogue(package, language)) - MESSAGES[package] == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_has_two_translations(language: str) -> None:
    """The catalogues of the sites have no message in common with that of the page kit."""
    kit, *sites = (set(read_catalogue(package, language)) for package in MESSAGES)
    assert [kit & site for site in sites] == [set(), set()]


def test_the_committed_catalogues_are_the_updated_ones() -> None:
    """No message is missing, unused, untranslated or without its placeholders; Cyrillic follows from Latin."""
    assert catalogues.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("latin", "in_cyrillic"),
    [
        ("Njena saglasnost: {count}", "Њена сагласност: {count}"),
        ("Đakovica, džep, ljubav", "Ђаковица, џеп, љубав"),
        ("Dnevnik događaja (XES)", "Дневник догађаја (XES)"),
    ],
)
def test_digraphs_are_transliterated_and_placeholders_are_not(latin: str, in_cyrillic: str) -> None:
    assert cyrillic.in_cyrillic(latin) == in_cyrillic


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "answered"),
    [
        ("sq", "en", "sr", "sq"),
        (None, "sr-Cyrl", "sq", "sr-Cyrl"),
        ("klingon", None, "sq-XK,sq;q=0.9,en;q=0.8", "sq"),
        (None, None, "de,en;q=0.5,sr-Cyrl;q=0.7", "sr-Cyrl"),
        (None, None, "sr-RS", "sr-Latn"),
        (None, None, "", "en"),
    ],
)
def test_a_page_is_answered_in_the_language_that_was_requested_last(
    asked: str | None, kept: str | None, accepted: str, answered: str
) -> None:
    assert choose_language(asked, kept, accepted) == answered


@pytest.mark.parametrize(
    ("seconds", "formatted"),
    [(0, "0.0 s"), (2.04, "2.0 s"), (95, "1 min 35 s"), (3600, "1 h"), (3 * 86_400 + 3700, "3 d 1 h")],
)
def test_a_duration_is_formatted_in_its_two_largest_units(seconds: float, formatted: str) -> None:
    assert audit_site(ZoneInfo("UTC")).translation("en").duration(seconds) == formatted
