"""The commands of `handoff`, each in its own module."""

from typing import Annotated

import typer

from handoff.cli import (
    baseline,
    bundle,
    demo,
    doctor,
    handoffs,
    import_log,
    init,
    key,
    node,
    pack,
    projection,
    record,
    replay,
    sign_in,
    timeline,
    trust,
    up,
    verify,
)
from handoff.release import RELEASE

app = typer.Typer(
    name="handoff",
    help="Inter-agency referral messaging with a tamper-evident audit timeline.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _print_version(requested: bool) -> None:  # noqa: FBT001 (the signature of a callback)
    if requested:
        typer.echo(f"handoff {RELEASE}")
        raise typer.Exit


@app.callback()
def handoff(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Inter-agency referral messaging with a tamper-evident audit timeline."""


app.command()(up.up)
app.command()(demo.demo)
app.command("init")(init.init)
app.command()(timeline.timeline)
app.command()(replay.replay)
app.command()(handoffs.handoffs)
app.command("import")(import_log.import_log)
app.command()(baseline.baseline)
app.command()(pack.pack)
app.command("sign-in")(sign_in.sign_in)
app.command()(doctor.doctor)
app.command("bundle", cls=verify.VerifyCommand)(bundle.bundle)
app.command("verify", cls=verify.VerifyCommand)(verify.verify)
app.add_typer(key.app, name="key", help="Create keys for a rotation.")
app.add_typer(trust.app, name="trust", help="Change keys in a trust file.")
app.add_typer(node.app, name="node", help="Operate a node: relay, witness, recovery.")
app.add_typer(projection.app, name="projection", help="Operate the projection.")
app.add_typer(record.app, name="record", help="Repair or redact the record while every service is stopped.")
