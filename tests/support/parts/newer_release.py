"""A release one step ahead of this one, in which `referral.paused` has a second version.

`python -m tests.support.parts.newer_release services.shelter` runs a service of it: the contract is changed before
anything
else is imported, and the rest follows from the contract.
"""

import runpy
import sys
from types import MappingProxyType
from typing import ClassVar

from handoff.record import events, upcasting
from handoff.record.events import referral
from handoff.record.events.base import Audience, Emitter, Instant, ReferralBody

FIRST, SECOND = "referral.paused.v1", "referral.paused.v2"


class Pause(referral.Pause):
    """Event of the newer release: reason for a wait, and the time of the next check."""

    review_at: Instant | None = None


class ReferralPaused(Pause, ReferralBody):
    """The service waits."""

    type: ClassVar = SECOND
    emitter: ClassVar = Emitter.TARGET
    audience: ClassVar = Audience.SOURCE


def _release() -> None:
    first = events.CATALOGUE[FIRST]
    known = {name: body for name, body in events.CATALOGUE.items() if name != FIRST}
    as_second = upcasting.Upcaster(first, lambda old: ReferralPaused(**dict(old)))
    vars(referral).update(Pause=Pause, ReferralPaused=ReferralPaused)
    vars(events).update(CATALOGUE=MappingProxyType({**known, SECOND: ReferralPaused}))
    vars(upcasting).update(UPCASTERS=MappingProxyType({**upcasting.UPCASTERS, FIRST: as_second}))


if __name__ == "__main__":
    _release()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__")
