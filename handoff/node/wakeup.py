"""How one task of a process tells the others that something has changed."""

import asyncio


class Wakeup:
    """Rings for everyone who took a ticket before. Take the ticket, look, then wait: no ring is missed."""

    def __init__(self) -> None:
        self._ticket = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        """What the next ring sets."""
        return self._ticket

    def ring(self) -> None:
        """Wakes everyone."""
        rung, self._ticket = self._ticket, asyncio.Event()
        rung.set()


async def wait(ticket: asyncio.Event, seconds: float) -> None:
    """Returns at the ring, or after ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            await ticket.wait()
    except TimeoutError:
        return
