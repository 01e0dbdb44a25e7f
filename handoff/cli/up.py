"""`handoff up`: a whole jurisdiction kept running on this machine."""

import asyncio
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from handoff.cli import options
from handoff.cli.output import JsonFlag, emit, failures, notes

_WATCH_SECONDS = 0.5


def up(
    state: options.StateOption = options.DEFAULT_STATE,
    plan: options.PlanOption = None,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Start the broker, the database and every service, and keep them running until Ctrl-C.

    The state directory survives stop and start with the same ports and everything that was stored.
    """
    from handoff.cli.signals import stops_on_signal
    from handoff.trial.trial import running

    with failures(), stops_on_signal(), running(options.trial(state, plan, kafka, postgres)) as trial:
        link = _sign_in_link(trial)
        emit(_document(trial, link), lambda console: _draw(console, trial, link), as_json=as_json)
        _watch(trial)


def _sign_in_link(trial: Any) -> str | None:
    """The way in for an auditor, where the plan has an audit that runs."""
    from handoff import clock
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.sign_in import sign_in_link
    from handoff.record.topics import AUDIT

    if AUDIT not in trial.supervisor.processes:
        return None
    return asyncio.run(sign_in_link(InstallationSettings(trial.directory).process(AUDIT), clock.now()))


def _watch(trial: Any) -> None:
    while True:
        time.sleep(_WATCH_SECONDS)
        for sentence in trial.take_care():
            notes.print(f"  [yellow]![/] {sentence}")


def _document(trial: Any, link: str | None) -> dict[str, Any]:
    return {
        "jurisdiction": trial.jurisdiction.name,
        "state": str(trial.directory),
        "kafka": trial.jurisdiction.kafka.bootstrap_servers,
        "postgres": f"{trial.jurisdiction.postgres.host}:{trial.jurisdiction.postgres.port}",
        "sign_in": link,
        "processes": [
            {"id": process.id, "url": process.url, "token": process.token}
            for process in trial.supervisor.processes.values()
        ],
    }


def _draw(console: Console, trial: Any, link: str | None) -> None:
    table = Table(title=f"{trial.jurisdiction.name} is running", title_justify="left")
    for column in ("process", "HTTP API", "bearer token of the agency's own system"):
        table.add_column(column)
    for process in trial.supervisor.processes.values():
        table.add_row(process.id, process.url, process.token)
    console.print(table)
    console.print(
        f"Each API describes itself at /openapi.json. Everything stored lies in {trial.directory}. Ctrl-C stops."
    )
    if link is not None:
        console.print("The timeline's pages let an auditor in once, within the hour (`handoff sign-in` gives another):")
        console.print(f"  {link}", soft_wrap=True)
