"""`handoff node …`: what an operator does to one institution's node."""

import asyncio
from typing import Annotated, Any

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, failures

app = typer.Typer(no_args_is_help=True)
relay = typer.Typer(no_args_is_help=True)
app.add_typer(relay, name="relay", help="What a node sends.")

Member = Annotated[str, typer.Argument(help="The member's id, as in the plan.")]


@relay.command()
def pause(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Hold back what a node sends; commands go on being stored."""
    _hold(member, state, paused=True, as_json=as_json)


@relay.command()
def resume(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Let a node send again."""
    _hold(member, state, paused=False, as_json=as_json)


def _hold(member: str, state: Any, *, paused: bool, as_json: bool) -> None:
    from handoff.bootstrap import pause_relay
    from handoff.trial.installed import Installed

    with failures():
        asyncio.run(pause_relay(Installed(state).node(member).postgres, paused=paused))
    word = "paused" if paused else "running"
    emit({"member": member, "relay": word}, lambda console: console.print(f"{member}: relay {word}"), as_json=as_json)
