"""Start and end of every service process: settings, log, event loop, exit code."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import uvloop
from setproctitle import setproctitle

from handoff import telemetry
from handoff.config import ConfigurationError, ProcessSettings, process_settings

WRONG_CONFIGURATION = 2


def run_process(run: Callable[[ProcessSettings], Awaitable[int]]) -> NoReturn:
    """Run ``run`` with the configuration that $HANDOFF_CONFIG names, and exit with its exit code.

    An invalid configuration is reported on standard error, and the exit code is 2.
    """
    sys.exit(_exit_code(run))


def freeze_gc() -> None:
    """Exclude all current objects from garbage collection.

    Scanning the objects created by the imports takes 60 ms, in which no request is answered.
    """
    gc.collect()
    gc.freeze()


def cancel_on_signals(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Run ``work`` as a task that SIGTERM and SIGINT cancel."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return task


def instance_name(settings: ProcessSettings) -> str:
    """Return the instance id, which distinguishes standby processes and survives a restart."""
    port = settings.http.port if settings.http is not None else 0
    return settings.instance or f"{socket.gethostname()}-{port}"


def _exit_code(run: Callable[[ProcessSettings], Awaitable[int]]) -> int:
    try:
        settings = process_settings()
        # `ps` lists a dozen processes of one program: name the member in each.
        setproctitle(f"handoff: {settings.jurisdiction} {settings.member}")
        telemetry.set_up_logging(process=settings.member, level=settings.log.level, form=settings.log.format)
        freeze_gc()
        return uvloop.run(_run(run, settings))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION


async def _run(run: Callable[[ProcessSettings], Awaitable[int]], settings: ProcessSettings) -> int:
    return await run(settings)
