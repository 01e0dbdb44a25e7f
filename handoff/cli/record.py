"""`handoff record …`: what an operator does to the record itself, while every service is stopped."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from handoff.cli import options
from handoff.cli.output import FAILED, JsonFlag, counting, emit, fail, failures
from handoff.record.redaction import RedactionReason

app = typer.Typer(no_args_is_help=True)

Offsets = Annotated[list[int], typer.Argument(help="Where the values stand on the record.", min=0)]
Reason = Annotated[RedactionReason, typer.Option("--reason", help="Why: it stands in the values' place.")]


@app.callback()
def record() -> None:
    """The record itself, while every service is stopped."""


@app.command()
def redact(
    offsets: Offsets,
    reason: Reason,
    state: options.StateOption = options.DEFAULT_STATE,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Take values out of the record and of everything that was made from it; their hashes stay.

    Run it again if it was interrupted. What foreign systems and backups hold is beyond its reach.
    """
    report = _at_standstill(state, kafka, postgres, lambda parts: _redact(parts, offsets, reason))
    emit(asdict(report), lambda console: _draw_redacted(console, report), as_json=as_json)


async def _redact(parts: Any, offsets: list[int], reason: RedactionReason) -> Any:
    from handoff.operations.redaction import redact as take_out

    with counting() as bar:
        task = bar.add_task("entries folded", total=None)
        return await take_out(parts, offsets, reason, lambda done, total: bar.update(task, completed=done, total=total))


def _draw_redacted(console: Console, report: Any) -> None:
    console.print(f"Taken out: offsets {', '.join(map(str, report.offsets))}.")
    for topic in report.topics:
        console.print(f"  copied without it: {topic}")
    for node in report.nodes:
        console.print(f"  folded again without it: {node}")
    console.print("The brokers delete the old segments within two minutes. Backups still hold what was taken out.")


@app.command()
def check(
    state: options.StateOption = options.DEFAULT_STATE,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Compare the record with the timeline, its signed heads and the inboxes; ends with 0 if nothing is missing."""
    lost = _at_standstill(state, kafka, postgres, _losses)
    emit(_told(lost), lambda console: _draw_losses(console, lost), as_json=as_json)
    if not lost.is_whole:
        raise typer.Exit(FAILED)


@app.command()
def restore(
    state: options.StateOption = options.DEFAULT_STATE,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Put back what the broker lost of the record's end, with its offsets and times.

    Run it again if it was interrupted. What nobody had read is sent again by its senders.
    """
    lost = _at_standstill(state, kafka, postgres, _restore)
    emit(_told(lost), lambda console: _draw_losses(console, lost), as_json=as_json)


async def _losses(parts: Any) -> Any:
    from handoff.operations.restore import losses

    return await losses(parts)


async def _restore(parts: Any) -> Any:
    from handoff.operations.restore import restore as apply_copy

    return await apply_copy(parts)


def _told(lost: Any) -> dict[str, Any]:
    return {
        "whole": lost.is_whole,
        "entries_found": lost.size,
        "largest_signed_head": lost.largest_head,
        "routed": lost.routed,
        "agrees_up_to": lost.agrees_up_to,
        "only_on_the_timeline": len(lost.shown),
        "only_in_inboxes": len(lost.heard),
        "since": len(lost.since),
        "lost_by_inboxes": sum(map(len, lost.tails.values())),
    }


def _draw_losses(console: Console, lost: Any) -> None:
    for name, found in _told(lost).items():
        console.print(f"{name.replace('_', ' ')}: {found}")


def _at_standstill(state: Any, kafka: Any, postgres: Any, work: Any) -> Any:
    """What ``work`` gives of the parts, or the sentence that says why it cannot be done."""
    from handoff.cli.signals import stops_on_signal
    from handoff.operations.redaction import RedactionRefused
    from handoff.operations.restore import NotRestorable
    from handoff.operations.session import NotReadyForMaintenance
    from handoff.operations.topic_copy import TopicCopyMismatch
    from handoff.trial.session import maintenance_session

    with (
        failures(),
        stops_on_signal(),
        maintenance_session(options.trial(state, None, kafka, postgres, join=True)) as parts,
    ):
        try:
            return asyncio.run(work(parts))
        except (NotReadyForMaintenance, RedactionRefused, NotRestorable, TopicCopyMismatch) as error:
            fail(str(error))
