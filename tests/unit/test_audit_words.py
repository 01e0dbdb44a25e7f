"""Whoever reads the audit's pages reads them in a language of their own, to the last code."""

import re

import pytest

from handoff.audit.i18n import cyrillic
from handoff.audit.i18n.translation import LANGUAGES, catalogue, preferred, words
from handoff.audit.pages.rendering import duration_words
from tests.support.probes.sentences import messages

EACH = pytest.mark.parametrize("tag", LANGUAGES)
PLACE = re.compile(r"\{\w+\}")


@EACH
def test_all_that_the_pages_say_has_words_in_every_language(tag: str) -> None:
    """Every sentence of a page, every code that an event may carry, and every question has its translation."""
    known = catalogue(tag)
    assert {message for message in messages() if not known.get(message)} == set()


@EACH
def test_no_catalogue_holds_words_that_nobody_says(tag: str) -> None:
    """What is no longer said is taken out, so that nobody translates it again."""
    assert set(catalogue(tag)) - messages() == set()


@EACH
def test_a_translation_keeps_the_places_of_its_values(tag: str) -> None:
    """A count or a name that stands in the English sentence stands in each translation."""
    for (vocabulary, sentence), said in catalogue(tag).items():
        if vocabulary is None:
            assert sorted(PLACE.findall(said)) == sorted(PLACE.findall(sentence)), said


def test_serbian_in_cyrillic_is_serbian_in_latin_letter_for_letter() -> None:
    """The committed catalogue in one script is what the table makes of the other."""
    assert cyrillic.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("latin", "in_cyrillic"),
    [
        ("Njena saglasnost: {count}", "Њена сагласност: {count}"),
        ("Đakovica, džep, ljubav", "Ђаковица, џеп, љубав"),
        ("Dnevnik događaja (XES)", "Дневник догађаја (XES)"),
    ],
)
def test_double_letters_and_places_are_told_apart_from_single_letters(latin: str, in_cyrillic: str) -> None:
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
def test_a_page_is_answered_in_the_language_that_was_asked_for_last(
    asked: str | None, kept: str | None, accepted: str, answered: str
) -> None:
    assert preferred(asked, kept, accepted) == answered


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (2.04, "2.0 s"), (95, "1 min 35 s"), (3600, "1 h"), (3 * 86_400 + 3700, "3 d 1 h")],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert duration_words(words("en"), seconds) == said
