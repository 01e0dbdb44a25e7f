"""`handoff node …`: what an operator does to one institution's node."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import FAILED, JsonFlag, emit, failures

app = typer.Typer(no_args_is_help=True)
relay = typer.Typer(no_args_is_help=True)
witness = typer.Typer(no_args_is_help=True)
app.add_typer(relay, name="relay", help="What a node sends.")
app.add_typer(witness, name="witness", help="What a node, or the monitor, cosigns.")

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
    from handoff.adapters.node_operations import pause_relay
    from handoff.trial.installed import Installed

    with failures():
        asyncio.run(pause_relay(Installed(state).node(member).postgres, paused=paused))
    word = "paused" if paused else "running"
    emit({"member": member, "relay": word}, lambda console: console.print(f"{member}: relay {word}"), as_json=as_json)


@witness.command()
def adopt(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Let a witness whose database was lost or restored go on from the largest head that it has cosigned.

    Stop its process before, and start it afterwards; docs/runbook.md says what to look at first.
    """
    from handoff.adapters.node_operations import adopt_witness
    from handoff.trial.installed import Installed

    with failures():
        before, after = asyncio.run(adopt_witness(Installed(state).process(member)))
    sentence = f"{member}: goes on from size {after.size}; its database knew {before.size}"
    document = {"member": member, "before": before.size, "after": after.size}
    emit(document, lambda console: console.print(sentence), as_json=as_json)


@app.command()
def rebuild(member: Member, state: StateOption = DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Fold a node's kept inbox again, and compare what it gives with what was folded, byte for byte.

    Ends with 0 if both were the same. Names the events that stand in this node's outbox alone.
    """
    from handoff.adapters.node_operations import rebuild_node
    from handoff.trial.installed import Installed

    with failures():
        report = asyncio.run(rebuild_node(Installed(state).node(member)))
    document = {"member": member, **asdict(report), "identical": report.identical}
    emit(document, lambda console: _draw(console, member, report), as_json=as_json)
    if not report.identical:
        raise typer.Exit(FAILED)


def _draw(console: Console, member: str, report: Any) -> None:
    word = "the same as before" if report.identical else "[red]not what it was before[/]"
    console.print(f"{member}: {report.entries} entries folded into {report.cases} cases; {word}.")
    for event in report.unpublished:
        console.print(f"  [yellow]not on the record yet:[/] {event}")
