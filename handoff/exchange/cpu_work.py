"""CPU-bound work of intake and router: results cached by their input bytes, large batches off the event loop."""

import asyncio
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from handoff.record import kafka_record, signing
from handoff.record.message import Message
from handoff.verification.checks import Keys, SignatureCheck, check_of
from handoff.verification.verifier import SignatureVerifier

T = TypeVar("T")

# More than intake is ahead of the router while they work off a backlog. An entry takes 4 KiB, 16 KiB at most.
_CACHE_SIZE = 4096
# Below this, handing a batch to a thread costs more than it saves.
_THREAD_THRESHOLD = 20

# Intake fills these caches and the router, which checks for itself, reads the same bytes back from the record. The key
# is the input itself, so a hit does not rely on intake's judgement.
parse_value = lru_cache(_CACHE_SIZE)(kafka_record.parse_value)
_verifies = lru_cache(_CACHE_SIZE)(signing.verifies)
_verified_ahead: dict[SignatureCheck, bool] = {}


async def verify_ahead(verifier: SignatureVerifier, messages: Iterable[Message], keys: Keys) -> None:
    """Verify the signatures of ``messages`` with ``keys``, so that ``verifies`` knows the results.

    Raises ``VerifierLost``.
    """
    checks = [check for message in messages if (check := check_of(message, keys)) is not None]
    new = [check for check in checks if check not in _verified_ahead]
    _verified_ahead.update(zip(new, await verifier.verify(new), strict=True))
    while len(_verified_ahead) > _CACHE_SIZE:
        del _verified_ahead[next(iter(_verified_ahead))]


def verifies(public_key: bytes, body: bytes, signature: bytes) -> bool:
    """Return whether the signature is valid, from the cache if its bytes were verified before."""
    check = SignatureCheck(public_key, body, signature)
    known = _verified_ahead.get(check)
    return _verifies(*check) if known is None else known


async def run_off_loop(size: int, work: Callable[[], T]) -> T:
    """Run ``work`` over ``size`` entries: on a thread if it would block the event loop for long."""
    return await asyncio.to_thread(work) if size > _THREAD_THRESHOLD else work()
