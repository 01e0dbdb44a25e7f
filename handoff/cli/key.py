"""`handoff key`: a new key for the rotation of the key of a member, the exchange, the record's log or a cosigner."""

from pathlib import Path
from typing import Annotated, Any

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures

app = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="New file for the private key, which must not exist yet.")]
MemberOption = Annotated[
    str, typer.Option("--member", help="Owner of the key: a member, `exchange`, `projection` (the log) or `monitor`.")
]
WitnessOption = Annotated[
    bool, typer.Option("--witness", help="Create the key with which an agency cosigns; the monitor has no other.")
]


@app.command()
def create(
    file: FileArgument,
    member: MemberOption,
    state: StateOption = DEFAULT_STATE,
    *,
    witness: WitnessOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a private key, and print its public half.

    For a member or the exchange, print the registration that the coordinator submits to POST /directory/keys. For the
    log or a cosigner, print the verifier key for `handoff trust add-key`. The private key stays in the file. Name it in
    the process's setting `next_signing_key_file`, or for a cosigner in `checkpoints.next_witness_key_file`.
    """
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.new_key import create_key, create_log_key, create_witness_key
    from handoff.proof.log.checkpoint import Origin
    from handoff.record.topics import MONITOR, PROJECTION

    with failures():
        settings = InstallationSettings(state).process(member)
        if witness or member in (MONITOR, PROJECTION):
            origin = Origin(settings.jurisdiction, settings.generation)
            is_log = member == PROJECTION
            public = create_log_key(file, origin) if is_log else create_witness_key(file, settings.jurisdiction, member)
            document: dict[str, Any] = {"key": public.short, "file": str(file), "verifier_key": str(public)}
            lines: tuple[str, ...] = (f"The key {public.short} is in {file}.", f"handoff trust add-key '{public}'")
        else:
            key, registration = create_key(file, settings.jurisdiction, member)
            document = {"key": key.id, "file": str(file), "registration": registration.model_dump(mode="json")}
            lines = (
                f"The key {key.id} is in {file}.",
                "The coordinator registers it with POST /directory/keys and this body:",
                registration.model_dump_json(),
            )
    emit(
        document,
        lambda console: console.print(*lines, sep="\n", soft_wrap=True, markup=False, highlight=False),
        as_json=as_json,
    )
