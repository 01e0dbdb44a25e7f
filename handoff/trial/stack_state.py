"""Stored state of a trial stack: its ports, its number of brokers and its operators' passwords."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from handoff.adapters.files.private_file import private_directory, write_private
from handoff.trial.errors import TrialError
from handoff.trial.tcp_ports import PortBlock


@dataclass(frozen=True)
class StackState:
    """State that a stack has in common with its restarts."""

    base_port: int
    brokers: int
    kafka_operator_password: str
    kafka_cluster_password: str
    postgres_operator_password: str


def open_stack_state(directory: Path, brokers: int) -> tuple[StackState, PortBlock]:
    """Read the state of a directory and reserve its ports. A new directory gets new ports.

    Raises TrialError if another program has its ports, or if the stack has another number of brokers.
    """
    path = directory / "stack.json"
    if path.exists():
        state = StackState(**json.loads(path.read_text(encoding="utf-8")))
        if state.brokers != brokers:
            raise TrialError(f"{directory} has a stack of {state.brokers} broker(s), not {brokers}.")
        return state, PortBlock.reclaim(state.base_port)
    block = PortBlock.reserve()
    state = StackState(block.base, brokers, *(secrets.token_hex(16) for _ in range(3)))
    private_directory(directory)
    write_private(path, json.dumps(asdict(state), indent=2))
    return state, block
