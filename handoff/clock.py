"""The only places where time and randomness enter: the edges pass them to the core as arguments."""

from datetime import UTC, datetime
from uuid import UUID, uuid4  # noqa: TID251 - here randomness is drawn


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - here the clock is read


def new_id() -> UUID:
    """A random id."""
    return uuid4()
