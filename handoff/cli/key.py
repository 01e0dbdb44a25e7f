"""`handoff key`: a new signing key for the rotation of a member's or the exchange's key."""

from pathlib import Path
from typing import Annotated

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures

app = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="New file for the private key, which must not exist yet.")]
MemberOption = Annotated[str, typer.Option("--member", help="Owner of the key: a member, or `exchange`.")]


@app.command()
def create(
    file: FileArgument, member: MemberOption, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False
) -> None:
    """Create a signing key, and print the registration that the coordinator submits to POST /directory/keys.

    The private key stays in the file. Name the file in the process's setting `next_signing_key_file`: the process signs
    with this key as soon as the record has it in force.
    """
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.new_key import create_key

    with failures():
        settings = InstallationSettings(state).process(member)
        key, registration = create_key(file, settings.jurisdiction, member)
    document = {"key": key.id, "file": str(file), "registration": registration.model_dump(mode="json")}
    emit(
        document,
        lambda console: console.print(
            f"The key {key.id} is in {file}.",
            "The coordinator registers it with POST /directory/keys and this body:",
            registration.model_dump_json(),
            sep="\n",
            soft_wrap=True,
            markup=False,
            highlight=False,
        ),
        as_json=as_json,
    )
