"""An import that is killed by SIGKILL at one step: `killed_import LOG MAPPING STEP COUNT before|after`."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handoff.adapters.postgres.past_handover_store import PastHandoverStore
from handoff.config import process_settings
from handoff.operations.past_handovers.importer import import_past_handovers
from handoff.operations.past_handovers.mapping import read_mapping

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _killing(step: Callable[..., Awaitable[Any]], count: int, *, after: bool) -> Callable[..., Awaitable[Any]]:
    calls = 0

    async def killing(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await step(*arguments)
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return killing


if __name__ == "__main__":
    log, mapping, name, number, when = sys.argv[1:]
    setattr(PastHandoverStore, name, _killing(getattr(PastHandoverStore, name), int(number), after=when == "after"))
    asyncio.run(import_past_handovers(process_settings().postgres, Path(log), read_mapping(Path(mapping)), NOW))
