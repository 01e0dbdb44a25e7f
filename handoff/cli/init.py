"""`handoff init`: set-up of a jurisdiction on brokers and a database server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from handoff import clock
from handoff.cli import options
from handoff.cli.output import JsonFlag, emit, failures

if TYPE_CHECKING:
    from handoff.operations.setup.installation import Installation, Process

StateOption = Annotated[Path, typer.Option("--state", help="State directory to create or to extend.")]
PortOption = Annotated[
    int,
    typer.Option(
        "--first-port", min=1, max=65_000, help="Port of the first process of a new installation; others follow."
    ),
]


def init(
    state: StateOption = options.DEFAULT_STATE,
    plan: options.PlanOption = None,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    first_port: PortOption = 8081,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Create a jurisdiction's keys, founding events, topics, users, ACLs, databases, roles and configurations.

    Idempotent: after a member was added to the plan, only what is new is created. A running `handoff up` starts the
    new member's service and restarts no other process.
    """
    from handoff.config import jurisdiction_plan
    from handoff.operations.setup.founding import initialise, installation_in
    from handoff.operations.setup.operator_logins import kafka_operator, postgres_operator
    from handoff.operations.setup.plan_file import plan_path, store_plan

    with failures():
        chosen = plan_path(state, plan)
        operators = kafka_operator(state, kafka), postgres_operator(state, postgres)
        installation = installation_in(state, jurisdiction_plan(chosen), *operators, first_port=first_port)
        store_plan(state, chosen)
        processes = asyncio.run(initialise(installation, clock.now()))
    document = {
        "jurisdiction": installation.jurisdiction.name,
        "genesis_sha256": installation.anchor(),
        "configurations": {process.id: str(process.config) for process in processes},
    }
    emit(document, lambda console: _draw(console, installation, processes), as_json=as_json)


def _draw(console: Console, installation: "Installation", processes: "Sequence[Process]") -> None:
    console.print(f"{installation.jurisdiction.name} is set up in {installation.directory}.")
    console.print(f"Trust anchor (SHA-256 of the founding event): {installation.anchor()}")
    for process in processes:
        console.print(f"  {process.id}: {process.config}")
