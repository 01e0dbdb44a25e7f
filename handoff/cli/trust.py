"""`handoff trust`: steps of a rotation in a trust file."""

from pathlib import Path
from typing import Annotated

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import failures, progress

app = typer.Typer(no_args_is_help=True)

TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust file to change. Default: that of the installation.", show_default=False),
]
VerifierKeyArgument = Annotated[str, typer.Argument(help="Verifier key, as `handoff key create` prints it.")]
KeyArgument = Annotated[str, typer.Argument(help="Name and id of the key, as `handoff doctor` shows it.")]
SizeOption = Annotated[
    int, typer.Option("--size", min=0, help="Last size of the record for which a signature by the key counts.")
]


@app.command("add-key")
def add_key(key: VerifierKeyArgument, state: StateOption = DEFAULT_STATE, trust: TrustOption = None) -> None:
    """Add the next key of the record's log, an agency or the monitor. The earlier keys still count."""
    from handoff.operations.trust_keys import add_key as add

    with failures():
        path = _path(state, trust)
        add(path, key)
    progress(f"{path} is renewed: send it to every member and every auditor")


@app.command("end-key")
def end_key(key: KeyArgument, size: SizeOption, state: StateOption = DEFAULT_STATE, trust: TrustOption = None) -> None:
    """End a key that was replaced: it counts up to a size of the record, so that bundles of before still verify."""
    from handoff.operations.trust_keys import end_key as end

    with failures():
        path = _path(state, trust)
        end(path, key, size)
    progress(f"{path} is renewed: send it to every member and every auditor")


def _path(state: Path, trust: Path | None) -> Path:
    from handoff.operations.installation_settings import InstallationSettings

    return trust if trust is not None else InstallationSettings(state).checkpoints.trust_file
