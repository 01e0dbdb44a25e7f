"""Old versions are read as today's: pure functions from one version's document to the next.

An upcaster takes and returns a whole CloudEvents document and changes its ``type``. The bytes on the record stay
as they were signed. No event type has a second version yet, so the table is empty.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Document = dict[str, Any]
Upcaster = Callable[[Document], Document]

UPCASTERS: Mapping[str, Upcaster] = MappingProxyType({})
"""Event type that is no longer written → the function that gives its successor."""


def upcast(document: Document, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> Document:
    """``document`` in the newest version that the table leads to; itself where the table does not name its type."""
    while (step := upcasters.get(document.get("type", ""))) is not None:
        document = step(document)
    return document
