"""Start and end of every service process: settings, log, event loop, exit code."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import structlog
import uvloop
from setproctitle import setproctitle

from handoff import logging_setup, telemetry
from handoff.config import ConfigurationError, ProcessSettings, process_settings

WRONG_CONFIGURATION = 2
CRASHED = 1
UPGRADE_REQUIRED = 4
"""Exit code if the record puts rules into force that this release does not have."""
UNCONFIGURED = "unconfigured"
"""Name of a process in its log as long as it does not know its settings."""

_GC_THRESHOLD = 10_000
_log = structlog.get_logger()


def run_process(run: Callable[[ProcessSettings], Awaitable[int]]) -> NoReturn:
    """Run ``run`` with the configuration that $HANDOFF_CONFIG names, and exit with its exit code.

    A start that fails is one line of the log like any other. The exit code is 2 for an invalid configuration.
    """
    sys.exit(_exit_code(run))


def require_upgrade(group: BaseExceptionGroup[BaseException]) -> int:
    """Log the ``UnsupportedRules`` that ended a process, raise the alarm, and return its exit code."""
    error = _first(group)
    telemetry.RECORD_ALARMS.labels("rules_not_supported", "").inc()
    _log.critical("record.rules_not_supported", why=str(error))
    return UPGRADE_REQUIRED


def freeze_gc() -> None:
    """Exclude all current objects from garbage collection, and collect less often.

    Scanning the objects created by the imports takes 60 ms, in which no request is answered. With the interpreter's
    threshold of 700 new objects, a batch of events is scanned dozens of times while it is read: 8 % of a busy
    projection's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)


def cancel_on_signals(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Run ``work`` as a task that SIGTERM and SIGINT cancel."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return task


def instance_name(settings: ProcessSettings) -> str:
    """Return the instance id, which distinguishes standby processes and survives a restart."""
    port = settings.http.port if settings.http is not None else settings.health.port or 0
    return settings.instance or f"{socket.gethostname()}-{port}"


def _exit_code(run: Callable[[ProcessSettings], Awaitable[int]]) -> int:
    # Until the settings are known, the log is JSON: a program reads it, and has to find the reason too.
    logging_setup.set_up_logging(process=UNCONFIGURED)
    try:
        settings = process_settings()
        # `ps` lists a dozen processes of one program: name the member in each.
        setproctitle(f"handoff: {settings.jurisdiction} {settings.member}")
        logging_setup.set_up_logging(process=settings.member, level=settings.log.level, form=settings.log.format)
        freeze_gc()
        return uvloop.run(_run(run, settings))
    except ConfigurationError as error:
        _log.critical("process.start_failed", errors=str(error).splitlines())
        return WRONG_CONFIGURATION
    except Exception as error:  # noqa: BLE001 - the interpreter's own report would not be JSON
        _log.critical("process.crashed", exc_info=error)
        return CRASHED


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _run(run: Callable[[ProcessSettings], Awaitable[int]], settings: ProcessSettings) -> int:
    return await run(settings)
