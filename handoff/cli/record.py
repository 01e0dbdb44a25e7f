"""`handoff record …`: repair and redaction of the record while every service is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

from handoff.cli import options
from handoff.cli.output import FAILED, JsonFlag, emit, failures, progress_bar
from handoff.record.codes import RedactionReason

if TYPE_CHECKING:
    from handoff.operations.redaction import RedactionReport
    from handoff.operations.restore import RecordLosses
    from handoff.operations.session import MaintenanceSession

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)

Offsets = Annotated[list[int], typer.Argument(help="Offsets of the values on the record.", min=0)]
Reason = Annotated[RedactionReason, typer.Option("--reason", help="Reason, which replaces the values.")]
CopiesOption = Annotated[
    Path | None,
    typer.Option(
        "--copies",
        help="Directory for copies of topics while they are replaced.",
        show_default="copies in the state directory",
    ),
]


@app.callback()
def record() -> None:
    """Repair or redact the record while every service is stopped."""


@app.command()
def redact(  # noqa: PLR0917 (a command's options)
    offsets: Offsets,
    reason: Reason,
    state: options.StateOption = options.DEFAULT_STATE,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    copies: CopiesOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Remove values from the record and from everything that was derived from it. Their hashes stay.

    If it is interrupted, run it again. It cannot reach backups and the systems of members.
    """

    async def work(session: "MaintenanceSession") -> "RedactionReport":
        from handoff.operations.redaction import redact as remove

        with progress_bar() as bar:
            task = bar.add_task("entries folded", total=None)
            return await remove(
                session, offsets, reason, lambda done, total: bar.update(task, completed=done, total=total)
            )

    report = _in_session(state, kafka, postgres, copies, work)
    emit(asdict(report), lambda console: _draw_redaction(console, report), as_json=as_json)


def _draw_redaction(console: Console, report: "RedactionReport") -> None:
    console.print(f"Redacted offsets: {', '.join(map(str, report.offsets))}.")
    for topic in report.topics:
        console.print(f"  topic rewritten: {topic}")
    for node in report.nodes:
        console.print(f"  node folded again: {node}")
    console.print("The brokers delete the old segments within two minutes. Backups still have the removed values.")


@app.command()
def check(
    state: options.StateOption = options.DEFAULT_STATE,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    copies: CopiesOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Compare the record with the timeline, the signed checkpoints and the inboxes.

    Exits with 0 if no entry is missing.
    """

    async def work(session: "MaintenanceSession") -> "RecordLosses":
        from handoff.operations.restore import losses

        return await losses(session)

    lost = _in_session(state, kafka, postgres, copies, work)
    emit(_losses_document(lost), lambda console: _draw_losses(console, lost), as_json=as_json)
    if not lost.is_whole:
        raise typer.Exit(FAILED)


@app.command()
def restore(
    state: options.StateOption = options.DEFAULT_STATE,
    kafka: options.KafkaOption = None,
    postgres: options.PostgresOption = None,
    copies: CopiesOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Restore the entries that the broker lost from the record's end, with their offsets and times.

    If it is interrupted, run it again. Senders publish by themselves the events that no process had read.
    """

    async def work(session: "MaintenanceSession") -> "RecordLosses":
        from handoff.operations.restore import restore as restore_record

        return await restore_record(session)

    lost = _in_session(state, kafka, postgres, copies, work)
    emit(_losses_document(lost), lambda console: _draw_losses(console, lost), as_json=as_json)


def _losses_document(lost: "RecordLosses") -> dict[str, object]:
    return {
        "whole": lost.is_whole,
        "entries_found": lost.size,
        "largest_signed_head": lost.largest_head,
        "routed": lost.routed,
        "agrees_up_to": lost.agrees_up_to,
        "only_on_the_timeline": len(lost.only_on_timeline),
        "only_in_inboxes": len(lost.only_in_inboxes),
        "since": len(lost.appended_since),
        "lost_by_inboxes": sum(map(len, lost.tails.values())),
    }


def _draw_losses(console: Console, lost: "RecordLosses") -> None:
    for name, found in _losses_document(lost).items():
        console.print(f"{name.replace('_', ' ')}: {found}")


def _in_session(
    state: Path,
    kafka: str | None,
    postgres: str | None,
    copies: Path | None,
    work: "Callable[[MaintenanceSession], Awaitable[T]]",
) -> T:
    """Run ``work`` in a maintenance session, or exit with an error message."""
    from handoff.cli.signals import stops_on_signal
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.session import MaintenanceSession
    from handoff.operations.setup.operator_logins import kafka_operator, postgres_operator

    async def run(session: MaintenanceSession) -> T:
        return await work(session)

    with failures(), stops_on_signal():
        installed = InstallationSettings(state)
        operators = kafka_operator(installed.directory, kafka), postgres_operator(installed.directory, postgres)
        return asyncio.run(run(MaintenanceSession.of(installed, *operators, copies=copies)))
