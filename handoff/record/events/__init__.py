"""The event types of the record, and the catalogue that maps a type to its model."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from handoff.record.events import board, case, deadline, directory, referral
from handoff.record.events.base import Audience, Body, Emitter, Keying, ReferralBody

__all__ = [
    "CATALOGUE",
    "Audience",
    "Body",
    "Emitter",
    "Keying",
    "ReferralBody",
    "board",
    "case",
    "deadline",
    "directory",
    "referral",
]


def _bodies() -> Iterator[type[Body]]:
    for module in (directory, case, referral, deadline, board):
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, Body) and hasattr(item, "type"):
                yield item


CATALOGUE: Mapping[str, type[Body]] = MappingProxyType({body.type: body for body in _bodies()})
"""Event type → model of its data, in the current version. ``handoff.record.upcasting`` has the superseded versions."""
