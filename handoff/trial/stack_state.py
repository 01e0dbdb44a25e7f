"""What a trial stack remembers between two runs: its ports, its size and its operators' passwords."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from handoff.adapters.files.private_file import write_private
from handoff.trial.errors import TrialError
from handoff.trial.ports import PortBlock


@dataclass(frozen=True)
class StackState:
    """The memory of one state directory."""

    base_port: int
    brokers: int
    kafka_operator_password: str
    kafka_cluster_password: str
    postgres_operator_password: str


def open_stack_state(directory: Path, brokers: int, *, join: bool = False) -> tuple[StackState, PortBlock]:
    """The directory's state with its ports reserved; a new directory gets fresh ones.

    With ``join`` the ports of a stack that already runs are only read. Raises TrialError if it runs and is not to be
    joined, or was made with another number of brokers.
    """
    path = directory / "stack.json"
    if path.exists():
        return _reopen(path, brokers, join=join)
    block = PortBlock.reserve()
    state = StackState(block.base, brokers, *(secrets.token_hex(16) for _ in range(3)))
    directory.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps(asdict(state), indent=2))
    return state, block


def _reopen(path: Path, brokers: int, *, join: bool) -> tuple[StackState, PortBlock]:
    state = StackState(**json.loads(path.read_text()))
    if state.brokers != brokers:
        raise TrialError(f"{path.parent} holds a stack of {state.brokers} broker(s), not {brokers}.")
    try:
        return state, PortBlock.reclaim(state.base_port)
    except TrialError:
        if not join:
            raise
        return state, PortBlock(state.base_port, None)
