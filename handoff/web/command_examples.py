"""Examples of command bodies, taken from the record's own examples of the events that they make."""

from collections.abc import Mapping
from typing import Any

from handoff.contract.examples import BASIS, examples
from handoff.domain.commands import Command, RequestReferral
from handoff.web.submissions import AGENCY_PLACES, COORDINATION_PLACES, operation_id


def _example(command: type[Command]) -> dict[str, Any]:
    event = examples()[command.makes.type]
    fields = event.data.model_dump(mode="json", exclude_defaults=True)
    example = {name: value for name, value in fields.items() if name in command.model_fields}
    if issubclass(command, RequestReferral):
        example["basis"] = str(BASIS)
    return example


def command_examples() -> Mapping[str, dict[str, Any]]:
    """Operation id → a body that its command accepts."""
    commands = dict.fromkeys(place.command for place in (*AGENCY_PLACES, *COORDINATION_PLACES))
    return {operation_id(command): _example(command) for command in commands}
