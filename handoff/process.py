"""How every service's process begins and ends: settings, log, event loop, exit code."""

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import uvloop

from handoff import telemetry
from handoff.config import ConfigurationError, ProcessSettings, process_settings

WRONG_CONFIGURATION = 2


def run_process(run: Callable[[ProcessSettings], Awaitable[int]]) -> NoReturn:
    """Runs ``run`` with the configuration that $HANDOFF_CONFIG names, and exits with the code that it gives.

    A wrong configuration is said on standard error and exits with 2.
    """
    sys.exit(_exit_code(run))


def instance_name(settings: ProcessSettings) -> str:
    """What tells this process from one beside it that does the same, and stays the same when it is started again."""
    port = settings.http.port if settings.http is not None else 0
    return settings.policies.get("instance", f"{socket.gethostname()}-{port}")


def _exit_code(run: Callable[[ProcessSettings], Awaitable[int]]) -> int:
    try:
        settings = process_settings()
        telemetry.set_up_logging(process=settings.member, level=settings.log.level, form=settings.log.format)
        return uvloop.run(_run(run, settings))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION


async def _run(run: Callable[[ProcessSettings], Awaitable[int]], settings: ProcessSettings) -> int:
    return await run(settings)
