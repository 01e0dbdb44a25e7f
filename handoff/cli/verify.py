"""`handoff verify BUNDLE`: offline verification of a bundle with a trust file."""

import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from typer.core import TyperCommand

from handoff import clock
from handoff.cli.output import JsonFlag, emit
from handoff.cli.signals import INTERRUPTED
from handoff.domain.rules import UnsupportedRules
from handoff.judging.bundle_verdicts import BundleVerdicts, judge_bundle
from handoff.proof.verify.bundle import NotABundle
from handoff.proof.verify.report import Conclusion, FindingSummary, VerificationReport
from handoff.proof.verify.trust import MalformedTrustFile, TrustPolicy
from handoff.proof.verify.verifier import verify as verify_bundle

BAD_INPUT = 3
"""Exit code beside those of ``Conclusion``, for a file or an argument that cannot be read."""
NOT_COMPLETED = 4
"""Exit code of an unexpected error, from which nothing follows about the bundle."""

# click's UsageError. Typer has a copy of click and does not export this class.
_WRONG_USAGE: Final[type[typer.BadParameter]] = typer.BadParameter.__mro__[1]
_CLICK_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]
_COLOURS = {Conclusion.PROVEN: "green", Conclusion.TAMPERED: "bold red", Conclusion.NOT_PROVABLE: "yellow"}

BundleArgument = Annotated[Path, typer.Argument(help="Bundle of the case.")]
TrustOption = Annotated[
    Path, typer.Option("--trust", help="Trust file of the auditor: logs, monitor, agencies, quorum.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", help="Require completeness up to this time: a date, a time with its zone (ISO 8601), or today."
    ),
]
ReceiptOption = Annotated[
    list[Path] | None, typer.Option("--receipt", help="Receipt whose event must be in the record.")
]


VerdictsOption = Annotated[
    bool, typer.Option("--verdicts", help="Judge each entry of the case by the rules, and show the verdicts.")
]


class VerifyCommand(TyperCommand):
    """Command whose exit codes 1 and 2 are conclusions about a bundle. Its own failures exit with other codes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; raise usage errors with this command's exit code."""
        as_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except _WRONG_USAGE as error:
            error.exit_code = BAD_INPUT
            _emit_bad_input(error.format_message(), as_json=as_json)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit with NOT_COMPLETED after an unexpected error, and with 130 after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, _CLICK_ERROR):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception:  # noqa: BLE001 (any error: Python would exit with 1, which means tampered)
            traceback.print_exc()
            raise typer.Exit(NOT_COMPLETED) from None


def verify(
    bundle: BundleArgument,
    trust: TrustOption,
    as_of: AsOfOption = None,
    receipt: ReceiptOption = None,
    *,
    verdicts: VerdictsOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Verify a case's bundle offline.

    The first line is the verdict. Exits with 0: proven, 1: tampered, 2: not provable, 3: bad input.
    """
    try:
        moment = _moment(as_of)
        trusted = TrustPolicy.parse(trust.read_bytes())
        receipts = [path.read_bytes() for path in receipt or ()]
        with bundle.open("rb") as source:
            report = verify_bundle(source, trusted, as_of=moment, receipts=receipts)
            log, judged = trusted.logs.get(report.origin), None
            if verdicts and log is not None and report.conclusion is not Conclusion.TAMPERED:
                source.seek(0)
                judged = judge_bundle(source, log.genesis_hash)
    except (NotABundle, MalformedTrustFile, OSError, _NotAMoment) as error:
        _emit_bad_input(str(error), as_json=as_json)
        raise typer.Exit(BAD_INPUT) from None
    except UnsupportedRules as error:
        # The bundle was checked; only its verdicts are beyond this release.
        missing = str(error)
        emit(
            _document(report) | {"verdicts_missing": missing},
            lambda console: _draw(console, report, None, missing=missing),
            as_json=as_json,
        )
        raise typer.Exit(Conclusion.NOT_PROVABLE) from None
    document = _document(report) | ({} if judged is None else {"verdicts": asdict(judged)})
    emit(document, lambda console: _draw(console, report, judged), as_json=as_json)
    raise typer.Exit(report.conclusion)


class _NotAMoment(Exception):
    """The argument of --as-of is no moment."""


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    if text == "today":
        return clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _NotAMoment(f"--as-of: {text} is neither a date nor a time") from None
    if moment.tzinfo is None and len(text) > len("2026-01-01"):
        raise _NotAMoment(f"--as-of: {text} needs its zone, as in 2026-01-01T12:00+01:00")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _draw(
    console: Console, report: VerificationReport, judged: BundleVerdicts | None, *, missing: str | None = None
) -> None:
    verdict, *lines, completeness = report.lines()
    console.print(verdict, style=_COLOURS[report.conclusion])
    for line in lines:
        console.print(line)
    for entry in judged.entries if judged is not None else ():
        reason = f" ({entry.verdict.reason})" if entry.verdict.reason is not None else ""
        event = f"{entry.type} by {entry.emitter}" if entry.type is not None else "no event"
        at = entry.record_time.strftime("%Y-%m-%dT%H:%M:%SZ")
        console.print(f"offset {entry.offset}, {at}: {event}: {entry.verdict.kind}{reason}, rules {entry.rules}")
    if judged is not None:
        console.print(f"rules in force at the last entry: version {judged.rules}; digest of verdicts {judged.digest}")
    if missing is not None:
        console.print(f"no verdicts: {missing}")
    console.print(completeness, style=_COLOURS[report.conclusion])


def _emit_bad_input(reason: str, *, as_json: bool) -> None:
    def draw(console: Console) -> None:
        console.print("bad input", style="bold red")
        console.print(reason)

    emit({"verdict": "bad_input", "reason": reason}, draw, as_json=as_json)


def _document(report: VerificationReport) -> dict[str, object]:
    return {
        "verdict": report.conclusion.code,
        "case": report.case,
        "origin": report.origin,
        "size": report.size,
        "cosigned_at": report.cosigned_at.isoformat() if report.cosigned_at else None,
        "cosigners": report.cosigners,
        "case_entries": report.case_entries,
        "directory_entries": report.directory_entries,
        "receipts": report.receipts,
        "remarks": report.remarks,
        "failures": [_failure(failure) for failure in report.failures],
        "completeness": report.completeness,
    }


def _failure(failure: FindingSummary) -> dict[str, object]:
    place = failure.place
    return {
        "verdict": failure.finding.conclusion.code,
        "check": failure.finding.check,
        "strand": place.strand if place else None,
        "entry": place.number if place else None,
        "offset": place.offset if place else None,
        "sentence": failure.finding.sentence,
        "more": failure.more,
    }
