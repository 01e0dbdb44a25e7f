"""`handoff init`: a jurisdiction is founded."""

from typing import Any

from rich.console import Console

from handoff.cli.options import (
    DEFAULT_PLAN,
    DEFAULT_STATE,
    KafkaOption,
    PlanOption,
    PostgresOption,
    StateOption,
    kafka_operator,
    postgres_operator,
)
from handoff.cli.output import JsonFlag, emit, failures, progress


def init(
    state: StateOption = DEFAULT_STATE,
    plan: PlanOption = DEFAULT_PLAN,
    kafka: KafkaOption = None,
    postgres: PostgresOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Make a jurisdiction's keys, founding event, topics, users, rights, databases, roles and configurations.

    Idempotent: run it again after adding a member to the plan, and only what is new is made and said.
    """
    from handoff.cli.stopping import stops_on_signal
    from handoff.config import jurisdiction_plan
    from handoff.trial.trial import Trial

    with failures(), stops_on_signal():
        operators = {"kafka": kafka_operator(kafka), "postgres": postgres_operator(postgres)}
        trial = Trial(state, jurisdiction_plan(plan), progress, **operators)
        try:
            trial.start_parts()
            trial.found()
        finally:
            trial.stop()
        emit(_document(trial), lambda console: _draw(console, trial), as_json=as_json)


def _document(trial: Any) -> dict[str, Any]:
    processes = trial.fleet.processes.values()
    return {
        "jurisdiction": trial.jurisdiction.name,
        "genesis_sha256": trial.installation.anchor(),
        "configurations": {process.id: str(process.config) for process in processes},
    }


def _draw(console: Console, trial: Any) -> None:
    console.print(f"{trial.jurisdiction.name} stands in {trial.directory}.")
    console.print(f"Trust anchor (SHA-256 of the founding event): {trial.installation.anchor()}")
    for process in trial.fleet.processes.values():
        console.print(f"  {process.id}: {process.config}")
