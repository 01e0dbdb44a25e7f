"""Signatures verified in bulk by a process of its own.

Each call of libsodium releases the interpreter lock for 60 µs and then waits up to 5 ms to get it back from a thread
that computes: two threads that verify 30,000 signatures a second alone verify 500 beside the judging thread.
"""

import asyncio
import os
import sys
from asyncio import IncompleteReadError
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from msgspec import msgpack

from handoff.record import signing
from handoff.verification import worker
from handoff.verification.checks import SignatureCheck

IN_PLACE: Final = 8
"""Largest batch that the caller's process verifies: the hand-over would take as long."""
PATIENCE_SECONDS: Final = 60.0
"""Time for the answer to a batch, which takes some tenths of a second: longer only if the process is stopped."""


class VerifierLost(Exception):
    """The verification process ended or does not answer: continue from the stored position."""


class SignatureVerifier:
    """Owner of a verification process, started with the first large batch.

    The process is a new program, not a copy of this one: it inherits no memory, no environment and no descriptor but
    its pipes.
    """

    def __init__(self, *, in_place: int = IN_PLACE, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._in_place = in_place
        self._patience_seconds = patience_seconds
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    @property
    def pid(self) -> int | None:
        """Process id; None while there is no process."""
        return self._process.pid if self._process is not None else None

    async def verify(self, checks: Sequence[SignatureCheck]) -> Sequence[bool]:
        """Return whether each signature is valid. Raises ``VerifierLost``; the next call starts another process."""
        if len(checks) <= self._in_place:
            return [signing.verifies(*check) for check in checks]
        async with self._turn:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    return await self._ask(checks)
            except (OSError, IncompleteReadError, TimeoutError) as error:
                await self._end()
                raise VerifierLost(f"the verification process did not answer: {type(error).__name__}") from error
            except BaseException:
                # An answer that is still on its way would be taken for the next batch's.
                await self._end()
                raise

    async def _ask(self, checks: Sequence[SignatureCheck]) -> Sequence[bool]:
        if self._process is None:
            self._process = await _start()
        batches, answers = self._process.stdin, self._process.stdout
        # uvloop's closed pipe is a RuntimeError.
        if batches is None or answers is None or batches.is_closing():
            raise BrokenPipeError
        batch = msgpack.encode(checks)
        batches.writelines((worker.LENGTH.pack(len(batch)), batch))
        await batches.drain()
        return [answer == 1 for answer in await answers.readexactly(len(checks))]

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _start() -> Process:
    # Isolated (-I): neither the environment nor the working directory decides which code verifies.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", worker.__name__, stdin=PIPE, stdout=PIPE, env=_environment()
    )


def _environment() -> dict[str, str]:
    """Return the part of the environment that finds libraries. The rest may hold secrets."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
