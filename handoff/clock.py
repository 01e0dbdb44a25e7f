"""The only sources of time and randomness. The outer layers pass both to the core as arguments."""

from datetime import UTC, datetime
from uuid import UUID, uuid4  # noqa: TID251 - here randomness is drawn


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - here the clock is read


def new_id() -> UUID:
    """Return a random id."""
    return uuid4()
