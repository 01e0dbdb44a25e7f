"""The commands of `handoff`, one file each."""

import typer

from handoff.cli import (
    bundle,
    demo,
    doctor,
    handoffs,
    init,
    node,
    projection,
    record,
    replay,
    sign_in,
    timeline,
    up,
    verify,
)

app = typer.Typer(
    name="handoff",
    help="Inter-agency referral messaging with an audit timeline that nobody can quietly rewrite.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

app.command()(up.up)
app.command()(demo.demo)
app.command("init")(init.init)
app.command()(timeline.timeline)
app.command()(replay.replay)
app.command()(handoffs.handoffs)
app.command("sign-in")(sign_in.sign_in)
app.command()(doctor.doctor)
app.command("bundle", cls=verify.VerifyCommand)(bundle.bundle)
app.command("verify", cls=verify.VerifyCommand)(verify.verify)
app.add_typer(node.app, name="node", help="One institution's node.")
app.add_typer(projection.app, name="projection", help="The timeline's projection.")
app.add_typer(record.app, name="record", help="The record itself, while every service is stopped.")
