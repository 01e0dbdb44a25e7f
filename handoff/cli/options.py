"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StateOption = Annotated[
    Path,
    typer.Option(
        "--state",
        "--config",
        envvar="HANDOFF_CONFIG",
        help="Settings of the installation: a state directory, a directory with one TOML file per process, or the "
        "TOML file of one process.",
    ),
]
TrialStateOption = Annotated[
    Path, typer.Option("--state", help="State directory of the trial: ports, keys and all stored data.")
]
PlanOption = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        help="TOML file of the jurisdiction: members, services, deadlines. Default: the plan in the state directory; "
        "in a new one, the sample plan of Prizren.",
        show_default=False,
    ),
]
KafkaOption = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        help="Brokers (host:port, …). The operator's login is HANDOFF_KAFKA_OPERATOR and "
        "HANDOFF_KAFKA_OPERATOR_PASSWORD. Brokers that are not on localhost are reached with TLS; "
        "HANDOFF_KAFKA_OPERATOR_CA_FILE names their authority.",
        show_default="operator.toml in the state directory",
    ),
]
PostgresOption = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        help="Database server (host:port). The operator's login is HANDOFF_POSTGRES_OPERATOR and "
        "HANDOFF_POSTGRES_OPERATOR_PASSWORD. A server that is not on localhost is reached with TLS and verified; "
        "HANDOFF_POSTGRES_OPERATOR_CA_FILE names its authority.",
        show_default="operator.toml in the state directory",
    ),
]
TrialKafkaOption = Annotated[
    str | None,
    typer.Option("--kafka", help="Existing brokers instead of a started one; see `handoff init --help`."),
]
TrialPostgresOption = Annotated[
    str | None,
    typer.Option("--postgres", help="Existing database server instead of a started one; see `handoff init --help`."),
]

DEFAULT_STATE = Path("state")
