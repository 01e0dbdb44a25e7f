"""Pages of a long list: every item is on one page, and a link leads to the page of its entry."""

import pytest

from handoff.audit.pages.paging import PAGE_SIZE, list_page, page_of


@pytest.mark.parametrize("count", [1, PAGE_SIZE, PAGE_SIZE + 1, 4000])
def test_each_item_is_on_exactly_one_page(count: int) -> None:
    items = tuple(range(count))
    pages = [list_page(items, number) for number in range(1, list_page(items, None).last + 1)]
    assert tuple(item for page in pages for item in page.items) == items
    assert [page.first_item for page in pages] == [page.items[0] + 1 for page in pages]
    assert all(page.last_item == page.items[-1] + 1 and page.count == count for page in pages)


def test_without_a_number_the_newest_items_are_shown() -> None:
    """A number past the end, or before the beginning, is the nearest page."""
    items = tuple(range(3 * PAGE_SIZE))
    assert list_page(items, None).items[-1] == items[-1]
    assert list_page(items, 99) == list_page(items, 3)
    assert list_page((), None).items == ()
    assert list_page((), None).last == 1


def test_a_link_leads_to_the_page_of_its_entry() -> None:
    positions = [3 * number for number in range(1000)]
    page = page_of(positions, positions[600])
    assert positions[600] in list_page(tuple(positions), page).items
    assert page_of(positions, positions[-1] + 5) == list_page(tuple(positions), None).last, (
        "an entry that is filtered out"
    )
    assert page_of(positions[:PAGE_SIZE], 3) is None
