"""`handoff bundle CASE`: all that an auditor needs to check a case offline, in one file."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, counting, emit, fail
from handoff.cli.verify import BAD_INPUT
from handoff.proof.verify.report import Conclusion

CaseArgument = Annotated[UUID, typer.Argument(help="The case's id.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write; else CASE.bundle.", show_default=False)
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="The auditor's trust file; else the installation's own.", show_default=False),
]
SizeOption = Annotated[
    int | None,
    typer.Option("--size", min=1, help="As of at most so many entries of the record; else all that are cosigned."),
]


def bundle(
    case: CaseArgument,
    output: OutputOption = None,
    state: StateOption = DEFAULT_STATE,
    trust: TrustOption = None,
    size: SizeOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write a case's bundle as of the newest checkpoint that enough have cosigned; `handoff verify` checks it.

    Ends with 0 if it is written, 1 if the timeline was meddled with so that it cannot be, 2 if nothing is proven yet,
    3 on bad input.
    """
    with _refusals():
        written = asyncio.run(_write(case, output or Path(f"{case}.bundle"), Path(state), trust, size))
    emit({"case": case, **asdict(written)}, lambda console: _draw(console, written), as_json=as_json)


async def _write(case: UUID, path: Path, state: Path, trust: Path | None, size: int | None) -> Any:
    from handoff.operations.bundle import bundle_request, write_bundle
    from handoff.operations.installation_settings import InstallationSettings

    installed = InstallationSettings(state)
    asked = bundle_request(installed, case, trust=trust, most=size)
    with counting() as bar:
        task = bar.add_task("entries written", total=None)
        return await write_bundle(
            installed, asked, path, lambda done, total: bar.update(task, completed=done, total=total)
        )


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns each reason why there is no bundle into a sentence and its exit code."""
    from handoff.adapters.postgres.bundle_export import NothingProven, Spoilt, UnknownCase
    from handoff.adapters.postgres.checkpoints import UnknownLog
    from handoff.adapters.postgres.pool import TRANSIENT
    from handoff.config import ConfigurationError
    from handoff.proof.verify.trust import MalformedTrustFile

    try:
        yield
    except Spoilt as error:
        fail(f"tampered: {error}", Conclusion.TAMPERED)
    except (NothingProven, UnknownLog) as error:
        fail(f"unproven: {error}", Conclusion.UNPROVEN)
    except (UnknownCase, MalformedTrustFile, ConfigurationError) as error:
        fail(f"bad input: {error}", BAD_INPUT)
    except TRANSIENT as error:
        fail(f"a part cannot be reached: {error}", BAD_INPUT)


def _draw(console: Console, written: Any) -> None:
    console.print(f"{written.path}: complete as of size {written.size}, cosigned by {', '.join(written.cosigners)}")
    console.print(f"Check it with: handoff verify {written.path} --trust YOUR-TRUST-FILE", markup=False)
