"""Pages of a long list: a case may have thousands of entries."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

PAGE_SIZE: Final = 250


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """A page of a list: its items, the numbers of the first and the last of them, and the length of the list."""

    items: tuple[T, ...]
    number: int
    last: int
    first_item: int
    count: int

    @property
    def last_item(self) -> int:
        """Number of the last item on the page."""
        return self.first_item + len(self.items) - 1


def list_page(items: tuple[T, ...], number: int | None) -> ListPage[T]:
    """Return the page of that number, or the nearest; without a number the last one, which has the newest items."""
    last = max(1, -(-len(items) // PAGE_SIZE))
    number = last if number is None else max(1, min(number, last))
    first = (number - 1) * PAGE_SIZE
    return ListPage(items[first : first + PAGE_SIZE], number, last, first + 1, len(items))


def page_of(positions: Sequence[int], position: int) -> int | None:
    """Return the number of the page with the entry at ``position``; None if there is only one page."""
    if len(positions) <= PAGE_SIZE:
        return None
    return min(bisect_left(positions, position), len(positions) - 1) // PAGE_SIZE + 1
