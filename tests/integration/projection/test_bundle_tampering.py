"""`handoff verify` finds and names every change to the timeline's database or to a bundle."""

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handoff.adapters.postgres.bundle_export import bundle
from handoff.operations.bundle import bundle_request
from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.tiles import entries_path, pack_entries, unpack_entries
from handoff.proof.verify.archive import ArchiveMember, ArchiveWriter, read_members
from handoff.record.events import directory as d
from handoff.record.message import Message
from tests.support.dsl.builders import CASE, key_of
from tests.support.parts.proof_record import (
    AGENCIES,
    COORDINATOR,
    COSIGNED_AT,
    Dump,
    checkpoint,
    dump_of,
    emitted,
    founding,
    honest,
    opened,
    reading,
    receipt,
    tree,
)
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.evidence import Archive, archive, restored

HONEST = honest(others=300)
SIZE = HONEST.size
OWN = tuple(n for n, entry in enumerate(HONEST.entries) if entry.case_tag == HONEST.entries[7].case_tag)
FIRST, SECOND, THIRD, FOURTH, LAST = OWN
LATER = COSIGNED_AT + timedelta(days=1)

ON_THE_BUNDLE = {
    "record_offset": ("9999", f"offset {THIRD}: order: "),
    "appended_ms": ("appended_ms - 1", f"entry 4 of the case, offset {FOURTH}: case link: "),
    "key": ("'another key'", f"entry 3 of the case, offset {THIRD}: content: "),
    "value": ("overlay(value placing 'X' from 20)", f"entry 3 of the case, offset {THIRD}: content: "),
    "headers": ("int4send(0)", f"entry 3 of the case, offset {THIRD}: content: "),
    "record_hash": ("sha256('another')", f"entry 3 of the case, offset {THIRD}: content: "),
    "case_tag": ("sha256('another')", f"entry 3 of the case, offset {FOURTH}: sequence: "),
    "tag_sequence": ("99", f"entry 3 of the case, offset {THIRD}: sequence: "),
    "previous_leaf": ("sha256('another')", f"entry 3 of the case, offset {THIRD}: case link: "),
    "leaf": ("sha256('another')", "inclusion: its inclusion is not proven"),
}
"""Column → value that a superuser writes, and the verifier's finding."""
WHAT_RULES_MAKE_OF_IT = {
    "record_ms": "0",
    "value_hash": "sha256('another')",
    "subject": "'another'",
    "event_id": "gen_random_uuid()",
    "event_type": "'another.v1'",
    "emitter": "'another'",
    "claimed_at": "now()",
    "referral": "gen_random_uuid()",
    "verdict": "'invalid'",
    "reason": "'another'",
    "rules": "rules + 1",
    "recipients": "'{another}'",
    "reference": "gen_random_uuid()",
}
"""Columns that are no part of any proof, because anyone makes them again of the record."""


@pytest.fixture(scope="module")
async def honestly(
    database_jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Archive]:
    """The honest record under a checkpoint that everyone has cosigned."""
    async with archive(database_jurisdictions.planned(), tmp_path_factory.mktemp("evidence")) as made:
        await made.store(HONEST)
        await made.seal(HONEST)
        yield made


@pytest.fixture
async def kept(honestly: Archive) -> AsyncIterator[Archive]:
    """The same, for one test to do with as it likes."""
    async with restored(honestly):
        yield honestly


async def verified(kept: Archive, *more: object) -> tuple[int, str]:
    """Return the verifier's report on a bundle that is written now."""
    assert (await kept.write(CASE))[0] == 0
    return await kept.verify(*more)


def first_failure(answer: str) -> str:
    """Return the verifier's first finding."""
    return next(line for line in answer.splitlines() if line.startswith(("tampered: ", "not provable: ")))


async def change(kept: Archive, *statements: str) -> None:
    """Execute a statement as a superuser."""
    async with kept.superuser() as superuser:
        for statement in statements:
            await superuser.execute(statement)


async def test_untouched_it_is_good(honestly: Archive) -> None:
    """The control for all that follows."""
    code, answer = await verified(honestly)
    assert (code, answer.splitlines()[-1]) == (0, f"complete as of size {SIZE}, cosigned at 2026-01-06T22:40:00Z")


async def test_every_column_is_tried(honestly: Archive) -> None:
    async with honestly.superuser() as superuser:
        columns = await superuser.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'timeline.entries'::regclass AND attnum > 0"
        )
    assert {name for (name,) in columns} == {*ON_THE_BUNDLE, *WHAT_RULES_MAKE_OF_IT}


@pytest.mark.parametrize("column", ON_THE_BUNDLE)
async def test_an_edit_of_each_column_is_named(kept: Archive, column: str) -> None:
    value, sentence = ON_THE_BUNDLE[column]
    await change(kept, f"UPDATE timeline.entries SET {column} = {value} WHERE record_offset = {THIRD}")
    code, answer = await verified(kept)
    assert (code, sentence in answer) == (1, True), answer
    assert answer.splitlines()[-1].startswith(f"NOT complete as of size {SIZE}, ")


async def test_an_edit_of_what_rules_make_of_an_entry_reaches_no_auditor(kept: Archive) -> None:
    """The bundle is the same to the byte; a rebuild compares these columns with what the record gives."""
    await kept.write(CASE)
    before = kept.bundle.read_bytes()
    changes = ", ".join(f"{column} = {value}" for column, value in WHAT_RULES_MAKE_OF_IT.items())
    await change(kept, f"UPDATE timeline.entries SET {changes} WHERE record_offset = {THIRD}")
    assert (await verified(kept))[0] == 0
    assert kept.bundle.read_bytes() == before


async def test_a_row_that_can_be_no_entry_any_more_is_named_when_the_bundle_is_written(kept: Archive) -> None:
    """The file written before is unchanged, and no partial file is left."""
    await kept.write(CASE)
    before = kept.bundle.read_bytes()
    await change(kept, f"UPDATE timeline.entries SET appended_ms = -1 WHERE record_offset = {THIRD}")
    code, answer = await kept.write(CASE)
    assert (code, f"tampered: the timeline's row at offset {THIRD} cannot be encoded as an entry" in answer) == (
        1,
        True,
    )
    assert [path.read_bytes() for path in kept.directory.glob("case.bundle*")] == [before]


async def test_concurrent_changes_do_not_alter_a_bundle_being_written(kept: Archive) -> None:
    """All of it is one snapshot, however slowly it is taken."""
    await kept.write(CASE)
    stream = bundle(kept.installed.timeline_reader, bundle_request(kept.installed, CASE))
    taken = await anext(stream)
    await change(kept, "DELETE FROM timeline.entries", "DELETE FROM timeline.tree_nodes")
    assert b"".join([taken, *[chunk async for chunk in stream]]) == kept.bundle.read_bytes()


def altered() -> Dump:
    """The honest record with another value under the same signature, and every hash worked out again."""
    dump = honest(others=300)
    message = dump.records[THIRD]
    value = (message.value or b"").replace(b"audit", b"breach")
    assert value != message.value
    dump.records[THIRD] = Message(message.key, value, message.headers)
    return dump.relinked()


async def test_an_edit_with_all_hashes_recomputed_is_named_by_the_emitters_signature(kept: Archive) -> None:
    """With all hashes, the chain and the tree recomputed, the signature still fails and the root differs."""
    await kept.replace(altered())
    code, answer = await verified(kept)
    assert code == 1
    assert first_failure(answer).startswith(f"tampered: entry 3 of the case, offset {THIRD}: signature: ")
    assert "tampered: skeleton: the root of its entries differs from the checkpoint's root" in answer


async def test_a_new_head_over_it_by_the_log_s_own_key_lacks_cosignatures(kept: Archive) -> None:
    """The log's key is compromised too, and all other heads are removed: no witness cosigned the remaining one."""
    forged = altered().checkpointed(cosigners=())
    await kept.replace(forged)
    await change(kept, "DELETE FROM proof.checkpoints", "DELETE FROM proof.cosignatures")
    await kept.seal(forged)
    code, answer = await kept.write(CASE)
    assert (code, "no checkpoint has a quorum" in answer) == (2, True)


async def test_cosignatures_for_another_head_are_not_moved_to_it(kept: Archive) -> None:
    """Under a head that lacks them they do not verify, and the head is passed over."""
    forged = altered().checkpointed(cosigners=())
    await kept.replace(forged)
    await change(kept, "DELETE FROM proof.checkpoints")
    await kept.seal(forged)
    assert (await kept.write(CASE))[0] == 2
    moved = forged.checkpoint.signed(*HONEST.checkpoint.signatures[1:])
    kept.bundle.write_bytes(replace(forged, checkpoint=moved).bundle())
    code, answer = await kept.verify()
    assert (code, "tampered: checkpoint: " in answer) == (1, True)


async def test_a_dropped_entry_is_named(kept: Archive) -> None:
    await change(kept, f"DELETE FROM timeline.entries WHERE record_offset = {THIRD}")
    code, answer = await verified(kept)
    assert code == 1
    assert f"offset {THIRD}: order: expected the entry of this offset, found partition 0, offset {THIRD + 1}" in answer


async def test_a_dropped_entry_with_all_that_follows_moved_up_is_found(kept: Archive) -> None:
    """Relinked, renumbered and without a gap."""
    await kept.replace(dump_of([HONEST.records[n] for n in range(SIZE) if n != THIRD]))
    code, answer = await verified(kept)
    assert (code, f"the bundle has {SIZE - 1} of the checkpoint's {SIZE} entries" in answer) == (1, True)


async def test_swapped_contents_are_named(kept: Archive) -> None:
    await change(
        kept,
        "UPDATE timeline.entries AS one SET value = other.value FROM timeline.entries AS other"
        f" WHERE (one.record_offset, other.record_offset) IN (({SECOND}, {THIRD}), ({THIRD}, {SECOND}))",
    )
    code, answer = await verified(kept)
    assert (code, f"entry 2 of the case, offset {SECOND}: content: " in answer) == (1, True)


async def test_swapped_entries_are_named(kept: Archive) -> None:
    await change(
        kept,
        *(
            f"UPDATE timeline.entries SET record_offset = {after} WHERE record_offset = {before}"
            for before, after in ((SECOND, -1), (THIRD, SECOND), (-1, THIRD))
        ),
    )
    code, answer = await verified(kept)
    assert (code, f"entry 2 of the case, offset {SECOND}: sequence: " in answer) == (1, True)


async def test_a_cut_tail_is_found(kept: Archive) -> None:
    await change(kept, f"DELETE FROM timeline.entries WHERE record_offset >= {LAST}")
    code, answer = await verified(kept)
    assert (code, first_failure(answer)) == (
        1,
        f"tampered: skeleton: the bundle has {LAST} of the checkpoint's {SIZE} entries",
    )


async def test_a_tail_that_is_cut_with_its_checkpoint_leaves_an_old_bundle(kept: Archive) -> None:
    """It is honest, and proves nothing of today; a receipt that an agency kept shows what is missing."""
    older = dump_of([HONEST.records[n] for n in range(LAST)])
    await change(kept, "DELETE FROM proof.checkpoints", "DELETE FROM proof.cosignatures")
    await kept.seal(older)
    await change(kept, f"DELETE FROM timeline.entries WHERE record_offset >= {LAST}")
    assert (await verified(kept))[0] == 0
    code, answer = await kept.verify("--as-of", LATER.isoformat())
    assert (code, f"NOT complete as of size {LAST}" in answer) == (2, True)
    promised = kept.directory / "receipt"
    promised.write_bytes(receipt(HONEST, LAST))
    code, answer = await kept.verify("--receipt", promised)
    assert (code, f"a receipt names size {SIZE}, beyond this checkpoint" in answer) == (2, True)


async def test_an_old_honest_bundle_does_not_prove_today(honestly: Archive) -> None:
    code, answer = await verified(honestly, "--as-of", "today")
    assert (code, "not provable: age: nothing is proven as of " in answer) == (2, True)


async def test_an_edited_node_of_the_tree_is_found(kept: Archive) -> None:
    """The last entry's proof begins with the root of the tile before it."""
    await change(kept, "UPDATE timeline.tree_nodes SET hash = sha256('another')")
    code, answer = await verified(kept)
    assert (code, f"entry 5 of the case, offset {LAST}: inclusion: " in answer) == (1, True)


async def test_without_its_tree_nothing_is_proven(kept: Archive) -> None:
    await change(kept, "DELETE FROM timeline.tree_nodes")
    code, answer = await verified(kept)
    assert (code, f"offset {LAST}: inclusion: its inclusion proof is missing" in answer) == (2, True)


async def test_a_meddled_cosignature_proves_nothing(kept: Archive) -> None:
    await change(
        kept, "UPDATE proof.cosignatures SET line = overlay(line placing 'AAAA' from 60) WHERE cosigner <> 'csw'"
    )
    assert (await kept.write(CASE))[0] == 2


async def test_a_superuser_s_own_keys_are_not_trusted(kept: Archive, tmp_path: Path) -> None:
    """A head by keys of one's own, smuggled into a bundle that is otherwise honest."""
    own = key_of("a superuser")
    note = checkpoint(TreeHead(SIZE, tree(HONEST.entries).root), log=own)
    kept.bundle.write_bytes(replace(HONEST, checkpoint=note).bundle())
    code, answer = await kept.verify()
    assert (code, "not provable: checkpoint: " in answer) == (2, True)


def rewritten(path: Path, change: Callable[[list[ArchiveMember]], list[ArchiveMember]]) -> None:
    """A bundle unpacked, changed and packed again as Handoff packs it."""
    members, out = change(list(read_members(io.BytesIO(path.read_bytes())))), io.BytesIO()
    writer = ArchiveWriter(out)
    for member in members:
        writer.add(member)
    writer.close()
    path.write_bytes(out.getvalue())


def without(offset: int) -> Callable[[list[ArchiveMember]], list[ArchiveMember]]:
    """Leaves out the record at ``offset``."""
    return lambda members: [m for m in members if m.name != f"record/{offset:012}.json"]


@pytest.mark.parametrize(("offset", "place"), [(THIRD, "entry 3 of the case"), (3, "entry 4 of the directory")])
async def test_a_withheld_record_is_named(honestly: Archive, offset: int, place: str) -> None:
    await honestly.write(CASE)
    rewritten(honestly.bundle, without(offset))
    code, answer = await honestly.verify()
    sentence = f"tampered: {place}, offset {offset}: withheld: the bundle lacks the record of this entry"
    assert (code, sentence in answer) == (1, True)


def shorter(members: list[ArchiveMember]) -> list[ArchiveMember]:
    """Leaves out the last ten entries, and the records among them."""
    kept = [m for m in members if not (m.name.startswith("record/") and m.name >= f"record/{SIZE - 10:012}")]
    last = max(n for n, member in enumerate(kept) if member.name.startswith("tile/"))
    entries = unpack_entries(kept[last].body)[:-10]
    kept[last] = ArchiveMember(entries_path(SIZE // 256, len(entries)), pack_entries(entries))
    return kept


async def test_a_shortened_skeleton_is_found(honestly: Archive) -> None:
    await honestly.write(CASE)
    rewritten(honestly.bundle, shorter)
    code, answer = await honestly.verify()
    assert (code, f"the bundle has {SIZE - 10} of the checkpoint's {SIZE} entries" in answer) == (1, True)


async def test_a_trust_file_inside_the_bundle_is_not_trusted(honestly: Archive) -> None:
    await honestly.write(CASE)
    smuggled = ArchiveMember("trust.policy", honestly.trust.read_bytes())
    rewritten(honestly.bundle, lambda members: [*members[:2], smuggled, *members[2:]])
    code, answer = await honestly.verify()
    assert (code, "bad input" in answer) == (3, True)


def revoking(*after: Message) -> Dump:
    """A record on which police's key is revoked, and what follows."""
    revocation = emitted(d.KeyRevoked(key=key_of("police").id), emitter=COORDINATOR)
    return dump_of([*founding(), opened(), reading(1), revocation, *after])


@pytest.mark.parametrize(
    ("dump", "code", "sentence"),
    [
        (revoking(), 0, "complete as of size 10"),
        (revoking(reading(2)), 1, "entry 3 of the case, offset 10: key: police's key was revoked before"),
        (revoking(reading(2, AGENCIES[1])), 0, "complete as of size 11"),
    ],
)
async def test_events_signed_by_a_revoked_key_count_only_before_its_revocation(
    kept: Archive, dump: Dump, code: int, sentence: str
) -> None:
    """The whole record is honest, under a head that everyone has cosigned."""
    await kept.replace(dump)
    await change(kept, "DELETE FROM proof.checkpoints", "DELETE FROM proof.receipts")
    await kept.seal(dump)
    found, answer = await verified(kept)
    assert (found, sentence in answer) == (code, True), answer
