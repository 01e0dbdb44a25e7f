"""What a command prints: tables for people, one JSON document for programs, and honest exit codes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output instead of tables.")]

FAILED, UNREACHABLE = 1, 3
"""Exit codes beside 0 (done) and 2 (wrong usage): what was asked failed; a part could not be reached."""

_FILE_WIDTH = 160
"""Columns where nobody's terminal says otherwise: a timeline in a log file should stay readable."""


def _console(*, stderr: bool) -> Console:
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_FILE_WIDTH)


console = _console(stderr=False)
notes = _console(stderr=True)


def emit(document: Any, render: Callable[[Console], None], *, as_json: bool) -> None:
    """Prints ``document`` as JSON, or lets ``render`` draw it."""
    if as_json:
        typer.echo(json.dumps(document, indent=2, default=str, ensure_ascii=False))
    else:
        render(console)


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    """Says what failed and ends with ``code``."""
    notes.print(f"[bold red]handoff:[/] {sentence}", markup=True)
    raise typer.Exit(code)


@contextmanager
def failures() -> Iterator[None]:
    """Turns the errors that a user can act on into a sentence and an exit code."""
    from handoff.adapters.kafka.client import BrokerUnavailable
    from handoff.config import ConfigurationError
    from handoff.node.commands.results import StoreUnavailable
    from handoff.operations.setup.broker_topics import BrokerSetupError
    from handoff.operations.setup.database_setup import DatabaseSetupError
    from handoff.trial.errors import TrialError

    try:
        yield
    except ConfigurationError as error:
        fail(str(error), 2)
    except (TrialError, BrokerSetupError, DatabaseSetupError) as error:
        fail(str(error))
    except (OSError, BrokerUnavailable, StoreUnavailable) as error:
        fail(f"a part cannot be reached: {error}", UNREACHABLE)


def counting() -> Any:
    """A bar on standard error that counts what is done of how many, and goes away at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=notes, transient=True)


def progress(stage: str) -> None:
    """One line of progress, on standard error, so that --json stays clean."""
    notes.print(f"  [dim]·[/] {stage}")
