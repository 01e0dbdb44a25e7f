"""Verdicts of a bundle are those of the exchange, judged from the bundle alone."""

import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handoff.cli.app import app
from handoff.judging.bundle_verdicts import judge_bundle
from handoff.judging.verdict_digest import VerdictDigest
from handoff.proof.verify.bundle import NotABundle
from handoff.record.codes import ReadPurpose
from handoff.record.delivery import EFFECTIVE, EQUIVOCATION, VerdictKind, ineffective
from handoff.record.events import case as c
from handoff.record.events import referral as r
from handoff.record.message import Message
from tests.support.dsl.builders import CASE, OTHER_CASE, REFERRAL, event, nth_id, signed
from tests.support.parts.proof_record import Dump, dump_of, founding, genesis_hash, opened, reading, trust_text


def _dump() -> Dump:
    """A case with an effective, an ineffective and two contradicting entries, and another case between them."""
    first = event(c.CaseRead(reader=nth_id(1), purpose=ReadPurpose.AUDIT))
    other = event(c.CaseRead(reader=nth_id(2), purpose=ReadPurpose.AUDIT), id=first.id)
    accepted = event(r.ReferralAccepted(referral=REFERRAL), emitter="shelter")
    return dump_of(
        [
            *founding(),
            opened(),
            opened(OTHER_CASE),
            signed(accepted),
            signed(first),
            reading(3, case=OTHER_CASE),
            signed(other),
        ]
    )


_EXPECTED = [(7, EFFECTIVE), (9, ineffective("absent")), (10, EFFECTIVE), (12, EQUIVOCATION)]


def test_each_entry_of_the_case_is_judged() -> None:
    """Effective, ineffective and contradicting entries have different verdicts, without a database."""
    judged = judge_bundle(io.BytesIO(_dump().bundle()), genesis_hash())
    assert [(entry.offset, entry.verdict) for entry in judged.entries] == _EXPECTED
    assert [entry.emitter for entry in judged.entries] == ["police", "shelter", "police", "police"]


def test_the_digest_is_that_of_the_verdicts_and_of_the_version_of_the_rules() -> None:
    """Two readers with the same verdicts have the same digest; another verdict gives another."""
    judged = judge_bundle(io.BytesIO(_dump().bundle()), genesis_hash())
    digest, other, later = VerdictDigest(), VerdictDigest(), VerdictDigest()
    for offset, verdict in _EXPECTED:
        digest.add(offset, 1, verdict)
        other.add(offset, 1, EFFECTIVE)
        later.add(offset, 2, verdict)
    assert (judged.digest, judged.rules) == (digest.head.hex(), 1)
    assert len({digest.head, other.head, later.head}) == 3


def test_record_time_comes_from_all_entries() -> None:
    """An entry of another case that was appended late moves the record time of the next one."""
    dump = _dump()
    late = dump.entries[8].appended_ms + 3_600_000
    dump.entries[8] = type(dump.entries[8])(
        0, 8, late, dump.entries[8].record_hash, dump.entries[8].case_tag, 1, dump.entries[8].previous_leaf
    )
    times = [
        entry.record_time.timestamp() * 1000
        for entry in judge_bundle(io.BytesIO(dump.bundle()), genesis_hash()).entries
    ]
    assert times == [dump.entries[7].appended_ms, late, late, late]


def test_another_founding_event_judges_nothing_effective() -> None:
    """The genesis hash comes from the trust file, never from the bundle."""
    judged = judge_bundle(io.BytesIO(_dump().bundle()), "0" * 64)
    assert {entry.verdict.kind for entry in judged.entries} == {VerdictKind.INVALID}


def test_a_record_outside_its_tile_is_refused() -> None:
    bundle = _dump().bundle()
    with pytest.raises(NotABundle):
        judge_bundle(io.BytesIO(bundle[: len(bundle) // 2]), genesis_hash())


def _verified(tmp_path: Path, dump: Dump) -> tuple[int, dict[str, object], str]:
    (tmp_path / "bundle").write_bytes(dump.bundle())
    (tmp_path / "trust").write_text(trust_text(), encoding="utf-8")
    command = ["verify", str(tmp_path / "bundle"), "--trust", str(tmp_path / "trust"), "--verdicts"]
    printed = CliRunner().invoke(app, [*command, "--json"])
    return printed.exit_code, json.loads(printed.stdout), CliRunner().invoke(app, command).stdout


def test_verify_shows_the_verdicts(tmp_path: Path) -> None:
    """They are in the JSON document and in the text, with the digest."""
    code, document, text = _verified(tmp_path, _dump())
    verdicts = document["verdicts"]
    assert isinstance(verdicts, dict)
    found = [(entry["offset"], entry["verdict"]["kind"], entry["verdict"]["reason"]) for entry in verdicts["entries"]]
    assert (code, found) == (0, [(offset, verdict.kind.value, verdict.reason) for offset, verdict in _EXPECTED])
    assert "referral.accepted.v1 by shelter: ineffective (absent)" in " ".join(text.split())
    assert verdicts["digest"] in text


def test_a_tampered_bundle_has_no_verdicts(tmp_path: Path) -> None:
    """Verdicts on altered bytes would look like a finding."""
    dump = _dump()
    dump.records[10] = Message(str(CASE).encode(), b"{}")
    code, document, _ = _verified(tmp_path, dump)
    assert (code, "verdicts" in document) == (1, False)
