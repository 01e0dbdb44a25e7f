"""Ports that two trial stacks on one machine never share."""

import random
import socket

from handoff.trial.errors import TrialError

# Below the range from which the kernel takes ports for outgoing connections, which would race with us.
_FIRST, _LAST = 20_000, 32_700
_SIZE = 50
_HOST = "127.0.0.1"


class PortBlock:
    """Fifty neighbouring ports, ours while the socket on the first of them is bound.

    The kernel is the lock: it holds between users and containers of one network and ends with the process.
    """

    def __init__(self, base: int, guard: socket.socket | None) -> None:
        self.base = base
        self._guard = guard

    @property
    def is_ours(self) -> bool:
        """Whether this process holds the block; another one may, whose ports are then only read here."""
        return self._guard is not None

    @classmethod
    def reserve(cls) -> "PortBlock":
        """A block in which every port is free now."""
        bases = list(range(_FIRST, _LAST - _SIZE, _SIZE))
        random.shuffle(bases)
        for base in bases:
            guard = _bind(base)
            if guard is None:
                continue
            if all(_is_free(port) for port in range(base + 1, base + _SIZE)):
                return cls(base, guard)
            guard.close()
        raise TrialError("no free block of ports on this machine: are many trial stacks running?")

    @classmethod
    def reclaim(cls, base: int) -> "PortBlock":
        """The block that a stopped stack had before."""
        guard = _bind(base)
        if guard is None:
            raise TrialError(f"port {base} is taken: is this trial stack already running?")
        return cls(base, guard)

    def port(self, index: int) -> int:
        """The port at `index`, from 1 to 49."""
        if not 0 < index < _SIZE:
            raise IndexError(index)
        return self.base + index

    def release(self) -> None:
        if self._guard is not None:
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
