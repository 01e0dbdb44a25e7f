"""`handoff init`: a jurisdiction is founded."""

from typing import Any

from rich.console import Console

from handoff.cli import options
from handoff.cli.output import JsonFlag, emit, failures


def init(
    state: options.StateOption = options.DEFAULT_STATE,
    plan: options.PlanOption = None,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Make a jurisdiction's keys, founding event, topics, users, rights, databases, roles and configurations.

    Idempotent: run it again after adding a member to the plan, and only what is new is made and said. Where
    `handoff up` runs, the new member's service is started, and nothing else is restarted.
    """
    from handoff.cli.signals import stops_on_signal

    with failures(), stops_on_signal():
        trial = options.trial(state, plan, kafka, postgres, join=True)
        try:
            trial.start_parts()
            trial.found()
        finally:
            trial.stop()
        emit(_document(trial), lambda console: _draw(console, trial), as_json=as_json)


def _document(trial: Any) -> dict[str, Any]:
    processes = trial.supervisor.processes.values()
    return {
        "jurisdiction": trial.jurisdiction.name,
        "genesis_sha256": trial.installation.anchor(),
        "configurations": {process.id: str(process.config) for process in processes},
    }


def _draw(console: Console, trial: Any) -> None:
    console.print(f"{trial.jurisdiction.name} stands in {trial.directory}.")
    console.print(f"Trust anchor (SHA-256 of the founding event): {trial.installation.anchor()}")
    for process in trial.supervisor.processes.values():
        console.print(f"  {process.id}: {process.config}")
