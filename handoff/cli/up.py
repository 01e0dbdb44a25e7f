"""`handoff up`: a trial of a whole jurisdiction on this machine."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from handoff.cli import options
from handoff.cli.output import JsonFlag, emit, failures, notes, progress

if TYPE_CHECKING:
    from handoff.trial.trial import Trial

_WATCH_SECONDS = 0.5

WithoutServicesOption = Annotated[
    bool,
    typer.Option(
        "--without-services", help="Start the broker and the database alone, for `handoff record` and `handoff init`."
    ),
]


def up(
    state: options.TrialStateOption = options.DEFAULT_STATE,
    plan: options.PlanOption = None,
    kafka: options.TrialKafkaOption = None,
    postgres: options.TrialPostgresOption = None,
    *,
    without_services: WithoutServicesOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Start the broker, the database and every service, and run them until Ctrl-C.

    The state directory stores all data. The next start has the same ports and the same data.
    """
    from handoff.cli.signals import stops_on_signal
    from handoff.trial.trial import running

    with failures(), stops_on_signal():
        trial = open_trial(state, plan, kafka, postgres)
        with running(trial, services=not without_services):
            link = _sign_in_link(trial)
            emit(_document(trial, link), lambda console: _draw(console, trial, link), as_json=as_json)
            _watch(trial)


def open_trial(state: Path, plan: Path | None, kafka: str | None = None, postgres: str | None = None) -> "Trial":
    """Trial in a state directory, not started. Raises ConfigurationError and TrialError."""
    from handoff.config import jurisdiction_plan
    from handoff.operations.setup.operator_logins import kafka_operator_at, postgres_operator_at
    from handoff.operations.setup.plan_file import plan_path, store_plan
    from handoff.trial.trial import Trial

    chosen = plan_path(state, plan)
    trial = Trial(
        state,
        jurisdiction_plan(chosen),
        progress,
        kafka=kafka_operator_at(kafka) if kafka is not None else None,
        postgres=postgres_operator_at(postgres) if postgres is not None else None,
    )
    store_plan(state, chosen)
    return trial


def _sign_in_link(trial: "Trial") -> str | None:
    """One-time link for an auditor, if the audit runs."""
    from handoff import clock
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.sign_in import sign_in_link
    from handoff.record.topics import AUDIT

    if AUDIT not in trial.supervisor.processes:
        return None
    return asyncio.run(sign_in_link(InstallationSettings(trial.directory).process(AUDIT), clock.now()))


def _watch(trial: "Trial") -> None:
    while True:
        time.sleep(_WATCH_SECONDS)
        for sentence in trial.supervise():
            notes.print(Text.assemble("  ", ("!", "yellow"), " ", sentence))


def _document(trial: "Trial", link: str | None) -> dict[str, object]:
    return {
        "jurisdiction": trial.jurisdiction.name,
        "state": str(trial.directory),
        "kafka": trial.jurisdiction.kafka.bootstrap_servers,
        "postgres": f"{trial.jurisdiction.postgres.host}:{trial.jurisdiction.postgres.port}",
        "sign_in": link,
        "processes": [
            {
                "id": process.id,
                "url": process.url if process.has_api else None,
                "health": process.health_url,
                "token": process.token,
            }
            for process in trial.supervisor.processes.values()
        ],
    }


def _draw(console: Console, trial: "Trial", link: str | None) -> None:
    processes = trial.supervisor.processes.values()
    if not processes:
        console.print(f"The broker and the database of {trial.directory} are running. Ctrl-C stops them.")
        return
    table = Table(title=f"{trial.jurisdiction.name} is running", title_justify="left")
    for column in ("process", "HTTP API", "health and metrics", "bearer token of the agency's own system"):
        table.add_column(column)
    for process in processes:
        api = (process.url, process.token) if process.has_api else ("", "")
        table.add_row(process.id, api[0], process.health_url, api[1])
    console.print(table)
    console.print(f"Each API is described at its /openapi.json. All data is in {trial.directory}. Ctrl-C stops.")
    if link is not None:
        console.print("One-time link to the timeline's pages, valid for an hour (`handoff sign-in` creates another):")
        console.print(f"  {link}", soft_wrap=True)
