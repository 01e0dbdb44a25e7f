"""`handoff bundle CASE`: one file with everything that an auditor needs to verify a case offline."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import JsonFlag, emit, fail, progress_bar
from handoff.cli.timeline import CaseArgument
from handoff.cli.verify import BAD_INPUT
from handoff.proof.verify.report import Conclusion

if TYPE_CHECKING:
    from handoff.operations.bundle import WrittenBundle

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write. Default: CASE.bundle.", show_default=False)
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust file of the auditor. Default: that of the installation.", show_default=False),
]
SizeOption = Annotated[
    int | None,
    typer.Option("--size", min=1, help="Largest size of the checkpoint. Default: the newest with enough cosignatures."),
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
    """Write a case's bundle as of the newest checkpoint with enough cosignatures. `handoff verify` verifies it.

    Exits with 0 if it is written, with 1 if the timeline was tampered with, with 2 if nothing is proven yet, with 3 on
    bad input.
    """
    with _exit_codes():
        written = asyncio.run(_write(case, output or Path(f"{case}.bundle"), state, trust, size))
    emit({"case": case, **asdict(written)}, lambda console: _draw(console, written), as_json=as_json)


async def _write(case: UUID, path: Path, state: Path, trust: Path | None, size: int | None) -> "WrittenBundle":
    from handoff.operations.bundle import bundle_request, write_bundle
    from handoff.operations.installation_settings import InstallationSettings

    installed = InstallationSettings(state)
    request = bundle_request(installed, case, trust=trust, most=size)
    with progress_bar() as bar:
        task = bar.add_task("entries written", total=None)
        return await write_bundle(
            installed, request, path, lambda done, total: bar.update(task, completed=done, total=total)
        )


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Convert each reason for which no bundle can be written into a message and its exit code."""
    from handoff.adapters.postgres.bundle_export import NoCheckpointCoversCase, UnencodableRow, UnknownCase
    from handoff.adapters.postgres.checkpoints import UnknownLog
    from handoff.adapters.postgres.pool import TRANSIENT
    from handoff.config import ConfigurationError
    from handoff.proof.verify.trust import MalformedTrustFile

    try:
        yield
    except UnencodableRow as error:
        fail(f"{Conclusion.TAMPERED}: {error}", Conclusion.TAMPERED)
    except (NoCheckpointCoversCase, UnknownLog) as error:
        fail(f"{Conclusion.NOT_PROVABLE}: {error}", Conclusion.NOT_PROVABLE)
    except (UnknownCase, MalformedTrustFile, ConfigurationError) as error:
        fail(f"bad input: {error}", BAD_INPUT)
    except TRANSIENT as error:
        fail(f"the timeline's database is not available: {error}", BAD_INPUT)


def _draw(console: Console, written: "WrittenBundle") -> None:
    console.print(f"{written.path}: complete as of size {written.size}, cosigned by {', '.join(written.cosigners)}")
    console.print(f"Verify it with: handoff verify {written.path} --trust YOUR-TRUST-FILE")
