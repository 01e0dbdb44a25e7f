"""What faults are done to, and what is told of each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from handoff.trial.trial import Trial
from tests.faults.crew import Crew
from tests.faults.disk import SmallDisk
from tests.faults.load import Load


@dataclass(frozen=True, slots=True)
class Place:
    """A running jurisdiction, and the load that goes on in it; ``disk`` is its database's own."""

    trial: Trial
    crew: Crew
    load: Load
    disk: SmallDisk
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Met:
    """Whom a fault met, and for how many seconds that was gone: until it ran again, or its standby did its work."""

    whom: str
    gone: float


Inject = Callable[[Place, int], Awaitable[Met]]
"""Does the harm and heals it; ``turn`` chooses whom it meets."""
