"""``handoff verify`` answers with what is proven, in words or JSON, and with an honest exit code."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from handoff.cli.verify import VerifyCommand, verify
from tests.support.parts.proof_record import Dump, honest, receipt, trust_text

app = typer.Typer()
app.command(cls=VerifyCommand)(verify)


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    path = tmp_path / "trust"
    path.write_text(trust_text(), encoding="utf-8")
    return path


def bundle_file(folder: Path, dump: Dump) -> Path:
    path = folder / "case.bundle"
    path.write_bytes(dump.bundle())
    return path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def tampered() -> Dump:
    dump = honest()
    dump.records[11] = dump.records[10]
    return dump


def test_a_valid_bundle_exits_0_and_prints_its_time(tmp_path: Path, trust_file: Path) -> None:
    code, output = run(bundle_file(tmp_path, honest()), "--trust", trust_file)
    assert code == 0
    assert output.splitlines()[-1] == "complete as of size 15, cosigned at 2026-01-06T22:40:00Z"


def test_a_tampered_bundle_ends_with_1_and_names_the_first_bad_entry(tmp_path: Path, trust_file: Path) -> None:
    code, output = run(bundle_file(tmp_path, tampered()), "--trust", trust_file)
    assert code == 1
    assert "tampered: entry 3 of the case, offset 11: content: " in output


@pytest.mark.parametrize("moment", ["today", "2026-01-07", "2026-01-06T22:40:01+00:00"])
def test_an_old_bundle_ends_with_2(tmp_path: Path, trust_file: Path, moment: str) -> None:
    code, output = run(bundle_file(tmp_path, honest()), "--trust", trust_file, "--as-of", moment)
    assert code == 2
    assert output.splitlines()[-1].startswith("NOT complete as of size 15")


@pytest.mark.parametrize("moment", ["2026-01-06", "2026-01-06T23:40:00+01:00"])
def test_a_bundle_that_reaches_as_far_as_is_asked_ends_with_0(tmp_path: Path, trust_file: Path, moment: str) -> None:
    assert run(bundle_file(tmp_path, honest()), "--trust", trust_file, "--as-of", moment)[0] == 0


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-06T22:40:00", ""])
def test_a_moment_that_could_be_two_is_bad_input(tmp_path: Path, trust_file: Path, moment: str) -> None:
    assert run(bundle_file(tmp_path, honest()), "--trust", trust_file, "--as-of", moment)[0] == 3


def test_invalid_files_are_bad_input(tmp_path: Path, trust_file: Path) -> None:
    bundle = bundle_file(tmp_path, honest())
    assert run(trust_file, "--trust", trust_file)[0] == 3
    assert run(bundle, "--trust", bundle)[0] == 3
    assert run(tmp_path / "missing", "--trust", trust_file)[0] == 3
    assert run(bundle, "--trust", tmp_path / "missing")[0] == 3
    assert run(bundle, "--trust", trust_file, "--receipt", tmp_path / "missing")[0] == 3


def test_wrong_usage_is_bad_input_too(tmp_path: Path) -> None:
    """The usual 2 would say that something cannot be proven."""
    assert run(bundle_file(tmp_path, honest()))[0] == 3
    assert run("--unknown")[0] == 3


def test_a_kept_receipt_is_held_against_the_record(tmp_path: Path, trust_file: Path) -> None:
    dump = honest()
    kept = tmp_path / "receipt"
    kept.write_bytes(receipt(dump, 11))
    assert "1 receipts" in run(bundle_file(tmp_path, dump), "--trust", trust_file, "--receipt", kept)[1]
    kept.write_bytes(receipt(dump, 11, size=5))
    assert run(bundle_file(tmp_path, dump), "--trust", trust_file, "--receipt", kept)[0] == 1


def test_the_first_line_is_the_verdict_in_every_case(tmp_path: Path, trust_file: Path) -> None:
    """A script reads the first line alone, and a program `verdict`; the exit code agrees."""
    altered = tmp_path / "altered.bundle"
    altered.write_bytes(tampered().bundle())
    bundle = bundle_file(tmp_path, honest())
    for code, verdict, arguments in (
        (0, "proven", (bundle, "--trust", trust_file)),
        (1, "tampered", (altered, "--trust", trust_file)),
        (2, "not provable", (bundle, "--trust", trust_file, "--as-of", "2026-01-07")),
        (3, "bad input", (trust_file, "--trust", trust_file)),
        (3, "bad input", (bundle, "--trust", trust_file, "--as-of", "yesterday")),
        (3, "bad input", (bundle,)),
    ):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert (result.exit_code, result.stdout.splitlines()[0]) == (code, verdict)
        result = CliRunner().invoke(app, [*(str(argument) for argument in arguments), "--json"])
        assert (result.exit_code, json.loads(result.stdout)["verdict"]) == (code, verdict.replace(" ", "_"))


def test_programs_read_one_json_document(tmp_path: Path, trust_file: Path) -> None:
    code, output = run(bundle_file(tmp_path, tampered()), "--trust", trust_file, "--json")
    report = json.loads(output)
    assert (code, report["verdict"], report["size"]) == (1, "tampered", 15)
    failure = report["failures"][0]
    assert (failure["check"], failure["strand"], failure["entry"], failure["offset"]) == ("content", "case", 3, 11)
    assert report["completeness"].startswith("NOT complete as of size 15")


@pytest.mark.parametrize(
    ("error", "expected"),
    [(RuntimeError("a defect"), 4), (EOFError(), 4), (BrokenPipeError(), 4), (KeyboardInterrupt(), 130)],
)
def test_a_failure_of_the_command_itself_is_no_conclusion(
    tmp_path: Path, trust_file: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, expected: int
) -> None:
    """Python ends with 1 after an unexpected error, which would say that the bundle was tampered with."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("handoff.cli.verify.emit", fail)
    assert run(bundle_file(tmp_path, honest()), "--trust", trust_file)[0] == expected
