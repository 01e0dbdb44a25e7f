"""The verification process: its answers, its end, and the things it does not get."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import psutil
import pytest
import uvloop
from msgspec import msgpack

from handoff.record import signing
from handoff.verification import worker
from handoff.verification.checks import SignatureCheck
from handoff.verification.verifier import IN_PLACE, SignatureVerifier, VerifierLost
from tests.support.dsl.builders import key_of
from tests.support.probes.eventually import eventually

KEY = key_of("police")
BODIES = [b"body %d" % number for number in range(IN_PLACE + 20)]
VALID = [SignatureCheck(KEY.public_key, body, KEY.sign(body)) for body in BODIES]
MIXED = [
    *VALID,
    SignatureCheck(key_of("shelter").public_key, *VALID[0][1:]),
    SignatureCheck(KEY.public_key, b"another body", VALID[0].signature),
    SignatureCheck(KEY.public_key, b"", b""),
    SignatureCheck(b"no key", b"body", bytes(64)),
]


@pytest.fixture
async def verifier() -> AsyncIterator[SignatureVerifier]:
    async with SignatureVerifier() as running:
        yield running


async def is_gone(pid: int) -> bool:
    """Return whether no process has this id, or it is one that ended and waits for its parent to collect it."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def pid_of(verifier: SignatureVerifier) -> int:
    assert verifier.pid is not None
    return verifier.pid


async def test_each_answer_is_that_of_the_library_in_place(verifier: SignatureVerifier) -> None:
    """Another process, the same function."""
    expected = [signing.verifies(*check) for check in MIXED]
    assert list(await verifier.verify(MIXED)) == expected
    assert set(expected) == {True, False}
    assert pid_of(verifier) != os.getpid()


async def test_a_small_batch_is_verified_in_place(verifier: SignatureVerifier) -> None:
    """A single event does not wait for another process, and an idle service has none."""
    assert list(await verifier.verify(MIXED[-IN_PLACE:])) == [signing.verifies(*check) for check in MIXED[-IN_PLACE:]]
    assert list(await verifier.verify([])) == []
    assert verifier.pid is None


async def test_concurrent_callers_get_their_own_answers(verifier: SignatureVerifier) -> None:
    """Intake and router share one process."""
    wrong = [check._replace(body=b"other") for check in VALID]
    answers = await asyncio.gather(*(verifier.verify(checks) for checks in (VALID, wrong, VALID, wrong)))
    assert [set(found) for found in answers] == [{True}, {False}, {True}, {False}]


async def test_a_killed_process_is_an_error_and_the_next_batch_starts_another(verifier: SignatureVerifier) -> None:
    """No batch is answered in part."""
    await verifier.verify(VALID)
    first = pid_of(verifier)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(VerifierLost):
        await verifier.verify(VALID)
    assert all(await verifier.verify(VALID))
    assert pid_of(verifier) != first


async def test_a_process_that_was_killed_long_ago_is_an_error_in_the_loop_of_the_services() -> None:
    """uvloop has noticed the closed pipe by then, and refuses to write to it in its own way."""

    async def lose() -> None:
        async with SignatureVerifier() as verifier:
            await verifier.verify(VALID)
            killed = psutil.Process(pid_of(verifier))
            killed.kill()
            await eventually(lambda: is_gone(killed.pid))
            for _ in range(100):
                await asyncio.sleep(0)
            with pytest.raises(VerifierLost):
                await verifier.verify(VALID)
            assert all(await verifier.verify(VALID))

    await asyncio.to_thread(uvloop.run, lose())


async def test_a_process_that_was_stopped_is_an_error_after_the_patience() -> None:
    """A suspended process does not block its caller without limit."""
    async with SignatureVerifier(patience_seconds=2) as verifier:
        await verifier.verify(VALID)
        os.kill(pid_of(verifier), signal.SIGSTOP)
        with pytest.raises(VerifierLost):
            await verifier.verify(VALID)
        assert verifier.pid is None


async def test_a_cancelled_batch_s_answer_is_not_taken_for_the_next_one_s(verifier: SignatureVerifier) -> None:
    """The next batch is answered by a new process."""
    await verifier.verify(VALID)
    os.kill(pid_of(verifier), signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(verifier.verify(VALID), 0.01)
    assert not any(await verifier.verify([check._replace(body=b"other") for check in VALID]))


async def test_the_process_ends_with_its_owner() -> None:
    """At a stop nothing is left over."""
    async with SignatureVerifier() as verifier:
        await verifier.verify(VALID)
        pid = pid_of(verifier)
    assert await is_gone(pid)


async def test_signals_to_the_group_do_not_end_it(verifier: SignatureVerifier) -> None:
    """A terminal signals all processes; the service stops in its own order."""
    await verifier.verify(VALID)
    pid = pid_of(verifier)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert all(await verifier.verify(VALID))
    assert pid_of(verifier) == pid


async def test_it_inherits_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor an open file of its parent reaches it."""
    monkeypatch.setenv("HANDOFF_POSTGRES__PASSWORD", "a password")
    secret = tmp_path / "signing.key"
    secret.write_text("a private key")
    with secret.open() as _:
        async with SignatureVerifier() as verifier:
            await verifier.verify(VALID)
            process = psutil.Process(pid_of(verifier))
            assert "password" not in str(process.environ()).lower()
            assert str(secret) not in {file.path for file in process.open_files()}


_PARENT = """
import asyncio
from handoff.record.signing import SigningKey
from handoff.verification.checks import SignatureCheck
from handoff.verification.verifier import SignatureVerifier

async def main():
    key = SigningKey(bytes(32))
    async with SignatureVerifier(in_place=0) as verifier:
        await verifier.verify([SignatureCheck(key.public_key, b"body", key.sign(b"body"))])
        print(verifier.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_no_process_is_left_when_its_parent_is_killed() -> None:
    """Its input ends with its parent, however the parent ends."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:  # noqa: ASYNC220
        assert parent.stdout is not None
        child = int(await asyncio.to_thread(parent.stdout.readline))
        parent.kill()
        await eventually(lambda: is_gone(child))


def test_the_process_reads_until_its_input_ends_also_within_a_batch() -> None:
    """A parent that was killed may have written a part."""
    batch = msgpack.encode(MIXED)
    whole, answers = worker.LENGTH.pack(len(batch)) + batch, BytesIO()
    for end in (b"", whole[:2], whole[:-1]):
        worker.serve(BytesIO(whole + end), answers)
    assert answers.getvalue() == bytes(signing.verifies(*check) for check in MIXED) * 3
