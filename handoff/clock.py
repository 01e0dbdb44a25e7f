"""The only source of time and randomness: the edges read them here and pass them to the core as arguments."""

import random
from datetime import UTC, datetime
from uuid import UUID, uuid4  # noqa: TID251 - here randomness is drawn


def now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - here the clock is read


def new_id() -> UUID:
    """Return a random id."""
    return uuid4()


def random_fraction() -> float:
    """Return a random number in [0, 1) that no secret depends on."""
    return random.random()
