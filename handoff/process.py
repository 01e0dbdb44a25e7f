"""How every service's process begins and ends: settings, log, event loop, exit code."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import uvloop

from handoff import telemetry
from handoff.config import ConfigurationError, ProcessSettings, process_settings

WRONG_CONFIGURATION = 2


def run_process(run: Callable[[ProcessSettings], Awaitable[int]]) -> NoReturn:
    """Runs ``run`` with the configuration that $HANDOFF_CONFIG names, and exits with the code that it gives.

    A wrong configuration is said on standard error and exits with 2.
    """
    sys.exit(_exit_code(run))


def freeze_gc() -> None:
    """Lets the garbage collector pass over all that lives now.

    To look at what the imports alone left takes it 60 ms, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()


def cancel_on_signals(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """``work`` as a task that SIGTERM and SIGINT cancel."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return task


def instance_name(settings: ProcessSettings) -> str:
    """What tells this process from one beside it that does the same, and stays the same when it is started again."""
    port = settings.http.port if settings.http is not None else 0
    return settings.policies.get("instance", f"{socket.gethostname()}-{port}")


def _exit_code(run: Callable[[ProcessSettings], Awaitable[int]]) -> int:
    try:
        settings = process_settings()
        telemetry.set_up_logging(process=settings.member, level=settings.log.level, form=settings.log.format)
        freeze_gc()
        return uvloop.run(_run(run, settings))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION


async def _run(run: Callable[[ProcessSettings], Awaitable[int]], settings: ProcessSettings) -> int:
    return await run(settings)
