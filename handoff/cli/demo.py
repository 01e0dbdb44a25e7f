"""`handoff demo`: one case played on a trial, then replayed and verified."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from handoff.cli import options
from handoff.cli.output import JsonFlag, console, emit, failures, notes, progress
from handoff.cli.up import open_trial

if TYPE_CHECKING:
    from handoff.cli.replay_output import Summary
    from handoff.trial.demo.proof import Verification
    from handoff.trial.demo.run import DemoResult

KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="Use this state directory and keep it; `handoff up --state` continues with it."),
]


def demo(plan: options.PlanOption = None, keep: KeepOption = None, *, as_json: JsonFlag = False) -> None:
    """Start every service on free ports, play one survivor's case, show and verify it, and stop.

    Exits with 0 if every step had the expected result. Otherwise it shows the failed step and that process's log.
    """
    from handoff.cli.replay_output import Summary
    from handoff.cli.signals import stops_on_signal
    from handoff.trial.demo.run import play_demo
    from handoff.trial.trial import running, temporary_directory

    began = time.monotonic()
    with failures(), stops_on_signal(), temporary_directory() as directory:
        with running(open_trial(keep or directory, plan)) as trial:
            report = console if not as_json else notes
            seconds = f" after {time.monotonic() - began:.1f} s. The scenario:"
            report.print(Text.assemble(("Every service is running", "bold"), seconds))
            result = play_demo(trial, lambda sentence: report.print(f"  {sentence}"))
            replayed = Summary.of(result.history, result.timeline[-1].record_time, None)
            document = {**result.document(), "replay": replayed.document()}
            emit(document, lambda target: _draw(target, result, replayed), as_json=as_json)
        progress(f"stopped; {time.monotonic() - began:.1f} s in all")


def _draw(target: Console, result: "DemoResult", replayed: "Summary") -> None:
    from handoff.cli.table_output import handoff_table, timeline_table

    target.print(timeline_table(result.case, result.timeline))
    target.print(handoff_table(result.summary))
    replayed.draw(target)
    _draw_verification(target, result.verification)


def _draw_verification(target: Console, verification: "Verification") -> None:
    target.print(f"The case's bundle, {verification.written.bytes:,} bytes, verified with the trust file alone:")
    for line in verification.report.lines():
        target.print(f"  {line}")
    for tampering in verification.tamperings:
        target.print(f"{tampering.where}: {tampering.done}. The verifier reports:")
        for sentence in tampering.found:
            target.print(f"  {sentence}", style="red")
