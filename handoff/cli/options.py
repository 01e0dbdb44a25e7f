"""Options that several commands share."""

import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from handoff.package_data import data_path

StateOption = Annotated[
    Path, typer.Option("--state", help="The trial's state directory: ports, keys and everything stored.")
]
PlanOption = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        help="The jurisdiction's TOML: members, services, deadlines. Else the one that the state directory was founded "
        "with; for a new one, Prizren's.",
        show_default=False,
    ),
]
KafkaOption = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        help="An existing cluster (host:port, …) instead of one of our own. Its operator logs in with "
        "HANDOFF_KAFKA_OPERATOR and HANDOFF_KAFKA_OPERATOR_PASSWORD.",
    ),
]
PostgresOption = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        help="An existing server (host:port) instead of one of our own. Its operator logs in with "
        "HANDOFF_POSTGRES_OPERATOR and HANDOFF_POSTGRES_OPERATOR_PASSWORD.",
    ),
]

DEFAULT_STATE = Path("state")
PRIZREN = data_path("prizren.toml")


def trial(state: Path, plan: Path | None, kafka: str | None, postgres: str | None, *, join: bool = False) -> Any:
    """The trial that these options describe, not started; with ``join`` it may run already.

    Raises ConfigurationError and TrialError.
    """
    from handoff.cli.output import progress
    from handoff.config import jurisdiction_plan
    from handoff.trial.trial import Trial

    operators = {"kafka": _kafka_operator(kafka), "postgres": _postgres_operator(postgres)}
    kept = state / "plan.toml"
    chosen = plan or (kept if kept.exists() else PRIZREN)
    found = Trial(state, jurisdiction_plan(chosen), progress, **operators, join=join)
    if chosen != kept:
        shutil.copyfile(chosen, kept)
    return found


def _kafka_operator(servers: str | None) -> Any:
    """The operator of an existing cluster, or None."""
    from handoff.operations.setup.kafka_operator import KafkaOperator

    if servers is None:
        return None
    user, password = _login("HANDOFF_KAFKA_OPERATOR")
    return KafkaOperator(servers, user, password)


def _postgres_operator(server: str | None) -> Any:
    """The operator of an existing server, or None."""
    from handoff.operations.setup.database_setup import DatabaseOperator

    if server is None:
        return None
    host, _, port = server.partition(":")
    user, password = _login("HANDOFF_POSTGRES_OPERATOR")
    return DatabaseOperator(host, int(port or 5432), user, password)


def _login(variable: str) -> tuple[str, str]:
    from handoff.config import ConfigurationError

    user, password = os.environ.get(variable), os.environ.get(f"{variable}_PASSWORD")
    if not user or not password:
        raise ConfigurationError(f"{variable} and {variable}_PASSWORD must be set to reach an existing part")
    return user, password
