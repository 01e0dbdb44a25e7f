"""Verification process: reads batches of signatures from its standard input, and writes a byte for each, 1 if valid.

It holds no state and no secret. It ends when its input ends, so also when its parent is killed.
"""

import signal
import struct
import sys
from typing import BinaryIO

from msgspec import msgpack

from handoff.record import signing

LENGTH = struct.Struct(">I")
"""Layout of the length that precedes each batch."""

_BATCH = msgpack.Decoder(list[tuple[bytes, bytes, bytes]])


def serve(batches: BinaryIO, answers: BinaryIO) -> None:
    """Answer each batch of public key, body and signature, until ``batches`` ends."""
    while True:
        header = batches.read(LENGTH.size)
        if len(header) < LENGTH.size:
            return
        (size,) = LENGTH.unpack(header)
        batch = batches.read(size)
        if len(batch) < size:
            return
        answers.write(bytes(signing.verifies(*check) for check in _BATCH.decode(batch)))
        answers.flush()


if __name__ == "__main__":
    # A terminal or a supervisor signals the whole group. The parent still needs answers while it stops.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
