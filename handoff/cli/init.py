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
WaitOption = Annotated[
    float | None,
    typer.Option(
        "--wait",
        min=0,
        help="Seconds to wait until each admission is effective. 0: do not wait, because coordination or the exchange "
        "is stopped.",
        show_default="60; 0 for a new installation",
    ),
]


def init(
    state: StateOption = options.DEFAULT_STATE,
    plan: options.PlanOption = None,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    first_port: PortOption = 8081,
    *,
    wait: WaitOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a jurisdiction's keys, founding events, topics, users, ACLs, databases, roles and configurations.

    Idempotent: after a member was added to the plan, only what is new is created. A running `handoff up` starts the
    new member's service and restarts no other process. In an existing installation, the command then waits until each
    admission is effective, and fails if one is not.
    """
    from handoff.config import jurisdiction_plan
    from handoff.operations.setup.admissions import WAIT_SECONDS, wait_until_admitted
    from handoff.operations.setup.founding import initialise, installation_in
    from handoff.operations.setup.operator_logins import kafka_operator, postgres_operator
    from handoff.operations.setup.plan_file import plan_path, store_plan

    with failures():
        chosen = plan_path(state, plan)
        operators = kafka_operator(state, kafka), postgres_operator(state, postgres)
        installation = installation_in(state, jurisdiction_plan(chosen), *operators, first_port=first_port)
        store_plan(state, chosen)
        # The processes of a new installation start with the configurations that this command writes.
        seconds = wait if wait is not None else WAIT_SECONDS if installation.is_written else 0
        now = clock.now()
        processes = asyncio.run(initialise(installation, now))
        if seconds > 0:
            events = tuple(installation.founding_events(now))
            asyncio.run(wait_until_admitted(installation.coordinator_database, events, seconds))
    document = {
        "jurisdiction": installation.jurisdiction.name,
        "genesis_sha256": installation.anchor(),
        "configurations": {process.id: str(process.config) for process in processes},
        "admissions": "effective" if seconds > 0 else "stored",
    }
    emit(document, lambda console: _draw(console, installation, processes, admitted=seconds > 0), as_json=as_json)


def _draw(console: Console, installation: "Installation", processes: "Sequence[Process]", *, admitted: bool) -> None:
    console.print(f"{installation.jurisdiction.name} is set up in {installation.directory}.")
    console.print(f"Trust anchor (SHA-256 of the founding event): {installation.anchor()}")
    for process in processes:
        console.print(f"  {process.id}: {process.config}")
    if admitted:
        console.print("Each admission is effective.")
    else:
        console.print(
            "The admissions take effect when coordination and the exchange run: start the processes, then run "
            "`handoff init` again, which waits for each admission and fails if one has no effect."
        )
