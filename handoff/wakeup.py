"""Wake-up inside one process: one task notifies the others that something has changed."""

import asyncio


class Subscription:
    """Becomes set at the first notification after it was taken."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake every task that waits."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return True at the notification, or False after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Wakeup:
    """Notifies every subscriber. Subscribe, then look for work, then wait: no notification is missed in between."""

    def __init__(self) -> None:
        self._subscription = Subscription()

    def subscribe(self) -> Subscription:
        """Return the subscription that the next notification sets."""
        return self._subscription

    def notify(self) -> None:
        """Set every subscription taken so far."""
        notified, self._subscription = self._subscription, Subscription()
        notified.set()
