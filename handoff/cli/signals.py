"""Orderly stop of a command on signals."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Never

import typer

INTERRUPTED = 130
_STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextmanager
def stops_on_signal() -> Iterator[None]:
    """Handle SIGTERM, SIGHUP and SIGINT like Ctrl-C, so that started processes are stopped.

    SIGINT needs a handler too: a shell script starts a background command with SIGINT ignored, and Python keeps that.
    """
    before = {number: signal.signal(number, _interrupt) for number in _STOPPING}
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt
