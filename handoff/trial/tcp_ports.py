"""Blocks of ports, reserved so that no two trial stacks on one machine share a port."""

import random
import socket

from handoff.trial.errors import TrialError

# Below the range of ports for outgoing connections, which would otherwise take a port between check and use.
_FIRST, _LAST = 20_000, 32_700
_SIZE = 50
_HOST = "127.0.0.1"


class PortBlock:
    """Fifty consecutive ports, reserved as long as the socket on the first of them is bound.

    The bound socket is the lock: the kernel enforces it between users, and between containers of one network, and
    releases it when the process ends.
    """

    def __init__(self, base: int, guard: socket.socket) -> None:
        self.base = base
        self._guard = guard

    @classmethod
    def reserve(cls) -> "PortBlock":
        """Reserve a block in which all ports are free. Raises TrialError."""
        bases = list(range(_FIRST, _LAST - _SIZE, _SIZE))
        random.shuffle(bases)
        for base in bases:
            guard = _bind(base)
            if guard is None:
                continue
            if all(_is_free(port) for port in range(base + 1, base + _SIZE)):
                return cls(base, guard)
            guard.close()
        raise TrialError("no free block of 50 ports on this machine: stop other trial stacks")

    @classmethod
    def reclaim(cls, base: int) -> "PortBlock":
        """Reserve the block of a stopped stack again. Raises TrialError if another program has its first port."""
        guard = _bind(base)
        if guard is None:
            raise TrialError(
                f"port {base}, the first of this stack, is in use by another program. "
                f"Find it with `ss -ltnp 'sport = :{base}'`, stop it, and start again"
            )
        return cls(base, guard)

    def port(self, index: int) -> int:
        """Port at `index`, from 1 to 49."""
        if not 0 < index < _SIZE:
            raise IndexError(index)
        return self.base + index

    def release(self) -> None:
        """Release the block for other stacks."""
        self._guard.close()


def _bind(port: int) -> socket.socket | None:
    candidate = socket.socket()
    try:
        candidate.bind((_HOST, port))
    except OSError:
        candidate.close()
        return None
    return candidate


def _is_free(port: int) -> bool:
    bound = _bind(port)
    if bound is None:
        return False
    bound.close()
    return True
