"""Output of commands: tables or one JSON document, error messages, and exit codes."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

FAILED, UNREACHABLE = 1, 3
"""Exit codes beside 0 (done) and 2 (wrong usage): the operation failed; a broker or database is not available."""

_FILE_WIDTH = 160
"""Columns without a terminal, so that a timeline in a log file is readable."""


def _console(*, stderr: bool) -> Console:
    width = None if Console(stderr=stderr).is_terminal else _FILE_WIDTH
    # Paths, arguments and server messages are printed as they are: no brackets as markup, no `:name:` as an emoji.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


console = _console(stderr=False)
notes = _console(stderr=True)


def emit(document: Mapping[str, object], render: Callable[[Console], None], *, as_json: bool) -> None:
    """Print ``document`` as JSON, or call ``render`` with the console."""
    if as_json:
        typer.echo(json.dumps(document, indent=2, default=str, ensure_ascii=False))
    else:
        render(console)


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    """Print an error message and exit with ``code``."""
    notes.print(Text.assemble(("handoff:", "bold red"), " ", sentence))
    raise typer.Exit(code)


@contextmanager
def failures() -> Iterator[None]:
    """Convert errors that an operator can act on into a message and an exit code."""
    import asyncpg
    from confluent_kafka import KafkaException

    from handoff.adapters.kafka.client import BrokerUnavailable
    from handoff.adapters.kafka.record_reader import RecordBroken
    from handoff.config import ConfigurationError
    from handoff.node.commands.results import StoreUnavailable
    from handoff.operations.errors import OperationError
    from handoff.proof.verify.trust import MalformedTrustFile

    refused = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
    try:
        yield
    except (ConfigurationError, MalformedTrustFile) as error:
        fail(str(error), 2)
    except (OperationError, RecordBroken) as error:
        fail(str(error))
    except refused as error:
        fail(f"the database server refused the login: {error}")
    except (OSError, BrokerUnavailable, StoreUnavailable, KafkaException, asyncpg.CannotConnectNowError) as error:
        fail(f"a broker or database is not available: {error}", UNREACHABLE)


def progress_bar() -> Progress:
    """Progress bar on standard error, removed at the end."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=notes, transient=True)


def progress(stage: str) -> None:
    """Print one line of progress on standard error, so that --json is not disturbed."""
    notes.print(Text.assemble("  ", ("·", "dim"), " ", stage))
