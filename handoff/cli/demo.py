"""`handoff demo`: the whole exchange, played on real parts, and at its end the case, replayed and proven."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handoff.cli import options
from handoff.cli.output import JsonFlag, console, emit, failures, notes, progress

KeepOption = Annotated[
    Path | None, typer.Option("--keep", help="Play in this state directory and leave it; `handoff up` goes on there.")
]


def demo(plan: options.PlanOption = None, keep: KeepOption = None, *, as_json: JsonFlag = False) -> None:
    """Start everything on free ports, play one survivor's way through the institutions, show and prove it, stop.

    Ends with 0 if every step was as it should be; otherwise it says what failed and shows that process's log.
    """
    from handoff.cli.signals import stops_on_signal
    from handoff.trial.trial import running, temporary_directory

    began = time.monotonic()
    with failures(), stops_on_signal(), temporary_directory() as directory:
        with running(options.trial(keep or directory, plan, None, None)) as trial:
            told = console if not as_json else notes
            told.print(f"[bold]Every service is up[/] after {time.monotonic() - began:.1f} s. The scenario:")
            shown = _play(trial, told)
            replayed = _replay(shown)
            document = {**shown.document(), "replay": replayed.document()}
            emit(document, lambda target: _draw(target, shown, replayed), as_json=as_json)
        progress(f"stopped; {time.monotonic() - began:.1f} s in all")


def _play(trial: Any, told: Console) -> Any:
    from handoff.trial.demo.run import perform

    return perform(trial, lambda sentence: told.print(f"  {sentence}"))


def _replay(shown: Any) -> Any:
    from handoff.cli.replay_output import Summary

    return Summary.of(shown.history, shown.timeline[-1].record_time, None)


def _draw(target: Console, shown: Any, replayed: Any) -> None:
    from handoff.cli.tables import handoff_table, timeline_table

    target.print(timeline_table(shown.case, shown.timeline))
    target.print(handoff_table(shown.summary))
    replayed.draw(target)
    _draw_proof(target, shown.proven)


def _draw_proof(target: Console, proven: Any) -> None:
    target.print(f"The case's bundle, {proven.written.bytes:,} bytes, verified with the trust file alone:")
    for line in proven.report.lines():
        target.print(f"  {line}", markup=False)
    for tampering in proven.tamperings:
        target.print(f"{tampering.where}: {tampering.done}. The verifier:")
        for sentence in tampering.found:
            target.print(f"  {sentence}", style="red", markup=False)
