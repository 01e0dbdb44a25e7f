"""Every event that may stand on the record, and the catalogue that finds its model by its type."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from handoff.record.events import case, deadline, directory, referral
from handoff.record.events.base import Audience, Body, Emitter, Keying, ReferralBody

__all__ = [
    "CATALOGUE",
    "Audience",
    "Body",
    "Emitter",
    "Keying",
    "ReferralBody",
    "case",
    "deadline",
    "directory",
    "referral",
]


def _bodies() -> Iterator[type[Body]]:
    for module in (directory, case, referral, deadline):
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, Body) and hasattr(item, "type"):
                yield item


CATALOGUE: Mapping[str, type[Body]] = MappingProxyType({body.type: body for body in _bodies()})
"""Event type → model of its data, for every type that this release can read."""
