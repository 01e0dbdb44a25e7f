"""`handoff bundle` from a real database writes the bundle of the record, and `handoff verify` confirms it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from handoff.adapters.postgres.bundle_export import NoCheckpointCoversCase, bundle
from handoff.operations.bundle import bundle_request
from handoff.operations.doctor.checkpoint import checkpoint_finding
from handoff.proof.log.checkpoint import Origin, log_key
from handoff.proof.verify.trust import TrustedLog, write_trust
from tests.support.dsl.builders import CASE, OTHER_CASE, nth_id
from tests.support.parts.proof_record import LOG, Dump, dump_of, honest, receipt, trust
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.evidence import Archive, archive

HONEST = honest(others=600).checkpointed(cosigners=("csw", "monitor", "police", "shelter"))
EARLIER = 300


def upto(size: int) -> Dump:
    """The honest record when it had ``size`` entries."""
    return dump_of([HONEST.records[offset] for offset in range(size)])


@pytest.fixture(scope="module")
async def kept(
    database_jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Archive]:
    """The honest record with an early checkpoint, the one that covers it all, and none for what came last."""
    later = dump_of([*HONEST.records.values(), HONEST.records[7]])
    async with archive(database_jurisdictions.planned(), tmp_path_factory.mktemp("evidence")) as made:
        await made.store(later)
        await made.seal(upto(EARLIER))
        await made.seal(HONEST)
        await made.seal(later.checkpointed(cosigners=("monitor",)))
        yield made


async def test_a_bundle_out_of_the_database_is_good(kept: Archive) -> None:
    """As of the newest checkpoint that enough have cosigned; a newer one that is not is passed over."""
    assert (await kept.write(CASE))[0] == 0
    code, output = await kept.verify()
    assert (code, output.splitlines()[-1]) == (0, "complete as of size 615, cosigned at 2026-01-06T22:40:00Z")
    assert "5 receipts" in output


async def test_it_is_to_the_byte_what_the_record_gives(kept: Archive) -> None:
    """Entries, proofs, records, checkpoint, cosignatures, receipts: made of the raw messages, it is the same file."""
    await kept.write(CASE)
    own = [n for n, entry in enumerate(HONEST.entries) if entry.case_tag == HONEST.entries[7].case_tag]
    promised = [receipt(upto(EARLIER) if n < EARLIER else HONEST, n) for n in own]
    assert kept.bundle.read_bytes() == replace(HONEST, receipts=promised).bundle()


async def test_the_stream_is_what_is_written(kept: Archive) -> None:
    """One code for the API and the command, a tile at a time."""
    await kept.write(OTHER_CASE)
    asked = bundle_request(kept.installed, OTHER_CASE)
    chunks = [chunk async for chunk in bundle(kept.installed.timeline_reader, asked)]
    assert b"".join(chunks) == kept.bundle.read_bytes()
    assert len(chunks) == 4


async def test_an_earlier_state_can_be_asked_for(kept: Archive) -> None:
    """As of the newest checkpoint of at most that size."""
    assert (await kept.write(CASE, "--size", 614))[0] == 0
    assert "complete as of size 300" in (await kept.verify())[1]


async def test_subscribers_are_notified_of_written_entries(kept: Archive) -> None:
    code, output = await kept.write(CASE, "--json")
    parsed = json.loads(output)
    assert (code, parsed["size"], parsed["path"], parsed["bytes"]) == (
        0,
        615,
        str(kept.bundle),
        kept.bundle.stat().st_size,
    )
    assert parsed["cosigners"] == ["monitor", "police", "shelter", "csw"]


@pytest.mark.parametrize(
    ("case", "more", "code", "sentence"),
    [
        (nth_id(1), (), 3, "the record holds nothing about case"),
        (CASE, ("--size", 299), 2, "no checkpoint has a quorum"),
        ("not-an-id", (), 3, "Invalid value"),
        (CASE, ("--trust", "/dev/null"), 3, "bad input"),
    ],
)
async def test_a_missing_bundle_has_its_reason(
    kept: Archive, case: object, more: tuple[object, ...], code: int, sentence: str
) -> None:
    """With the exit codes of `handoff verify`, and with no file left behind."""
    kept.bundle.unlink(missing_ok=True)
    found, output = await kept.write(case, *more)
    assert (found, sentence in output) == (code, True), output
    assert not list(kept.directory.glob("case.bundle*"))


async def test_a_trust_file_of_another_record_proves_nothing(kept: Archive, tmp_path: Path) -> None:
    foreign, (monitor, *agencies) = tmp_path / "trust", trust().witnesses.values()
    log = TrustedLog(log_key(Origin("gjakova", 1), LOG.public_key), "0" * 64)
    foreign.write_text(write_trust([log], monitor, agencies, 2))
    code, output = await kept.write(CASE, "--trust", foreign)
    assert (code, "names no log handoff/prizren/record/1" in output) == (2, True)


async def test_an_unprovable_bundle_is_refused_before_its_first_byte(kept: Archive) -> None:
    asked = bundle_request(kept.installed, CASE, most=1)
    with pytest.raises(NoCheckpointCoversCase):
        await anext(bundle(kept.installed.timeline_reader, asked))


async def test_the_doctor_reports_the_provable_size_and_time(kept: Archive) -> None:
    """A head that was cosigned months ago is reported as stale: its witnesses have stopped."""
    found = await checkpoint_finding(kept.installed)
    assert (found.state, found.finding) == (
        "slow",
        "the newest is old: size 615, cosigned at 2026-01-06 22:40:00 UTC",
    )
