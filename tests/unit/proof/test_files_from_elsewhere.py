"""A bundle and a trust file as they come from mail, from Windows and from an archive: refused by a named cause."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from handoff.cli.verify import VerifyCommand, verify
from tests.support.parts.proof_record import honest, trust_text

app = typer.Typer()
app.command(cls=VerifyCommand)(verify)

BUNDLE, TRUST = honest().bundle(), trust_text().encode()
Damage = Callable[[bytes], bytes]


@pytest.fixture
def verified(tmp_path: Path) -> Callable[[bytes, bytes], tuple[int, str]]:
    """Run `handoff verify` on two files. Return its exit code, and its output without the paths."""

    def run(bundle: bytes, trust: bytes) -> tuple[int, str]:
        (tmp_path / "bundle").write_bytes(bundle)
        (tmp_path / "trust").write_bytes(trust)
        arguments = [str(tmp_path / "bundle"), "--trust", str(tmp_path / "trust")]
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, " ".join(result.output.replace(str(tmp_path), "").split()).lower()

    return run


Verified = Callable[[bytes, bytes], tuple[int, str]]
TRUST_FILES: dict[str, Damage] = {
    "crlf": lambda raw: raw.replace(b"\n", b"\r\n"),
    "bom": lambda raw: b"\xef\xbb\xbf" + raw,
    "utf-16": lambda raw: raw.decode().encode("utf-16"),
}
BUNDLES: dict[str, Damage] = {
    "gzip": gzip.compress,
    "half": lambda raw: raw[: len(raw) // 2],
    "cut": lambda raw: raw[:-1],
    "crlf": lambda raw: raw.replace(b"\n", b"\r\n"),
    "block": lambda raw: raw + bytes(512),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", TRUST_FILES.values(), ids=TRUST_FILES)
def test_a_trust_file_that_was_altered_on_its_way_is_bad_input(verified: Verified, damage: Damage) -> None:
    assert verified(BUNDLE, damage(TRUST))[0] == 3


@pytest.mark.parametrize("damage", BUNDLES.values(), ids=BUNDLES)
def test_a_bundle_that_was_altered_on_its_way_is_bad_input(verified: Verified, damage: Damage) -> None:
    """Such a bundle proves neither completeness nor tampering."""
    assert verified(damage(BUNDLE), TRUST)[0] == 3


@pytest.mark.parametrize(("name", "cause"), [("crlf", "crlf"), ("bom", "byte order mark")])
def test_the_cause_of_an_unreadable_trust_file_is_named(verified: Verified, name: str, cause: str) -> None:
    """An editor on Windows adds both, and neither is visible."""
    assert cause in verified(BUNDLE, TRUST_FILES[name](TRUST))[1]


def test_a_compressed_bundle_is_named_as_one(verified: Verified) -> None:
    """The auditor can then unpack it."""
    assert "gzip" in verified(gzip.compress(BUNDLE), TRUST)[1]
