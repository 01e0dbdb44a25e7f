"""Every change that a superuser makes to a record or a bundle is found and named."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from handoff.proof.log.checkpoint import TreeHead
from handoff.proof.log.entry import NO_PREVIOUS, LogEntry, case_tag
from handoff.proof.verify.archive import ArchiveMember, ArchiveWriter, read_members
from handoff.proof.verify.bundle import BundleReader, BundleRecord, NotABundle
from handoff.proof.verify.report import Check, Conclusion, VerificationReport
from handoff.proof.verify.trust import TrustPolicy
from handoff.proof.verify.verifier import verify
from handoff.record.delivery import to_ms
from handoff.record.events import directory as d
from handoff.record.message import Message
from handoff.record.record_time import BOUND_MS, stamped
from handoff.record.signing import SigningKey
from tests.support.dsl.builders import CASE, OTHER_CASE, T0, event, key_of, signed
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
    trust,
    trust_text,
)

OWN = (7, 10, 11, 13, 14)
"""Offsets of the case's entries in the honest record; 8, 9 and 12 are another case's, 0 to 6 the directory's."""
THIRD = OWN[2]


def found(dump: Dump, **asked: Any) -> VerificationReport:
    return verify(io.BytesIO(dump.bundle()), trust(), **asked)


def checks(report: VerificationReport) -> list[tuple[Check, int | None]]:
    return [(f.finding.check, f.place.offset if f.place else None) for f in report.failures]


def edited(dump: Dump, offset: int, **columns: Any) -> Dump:
    """The dump with columns of one entry's row changed, and nothing else."""
    dump.entries[offset] = structs.replace(dump.entries[offset], **columns)
    return dump


def altered(dump: Dump, offset: int) -> Dump:
    """The dump with another value under the same signature."""
    message = dump.records[offset]
    value = (message.value or b"").replace(b"audit", b"breach")
    assert value != message.value
    dump.records[offset] = Message(message.key, value, message.headers)
    return dump


def test_an_honest_bundle_is_good() -> None:
    report = found(honest())
    assert (report.conclusion, report.failures, report.remarks) == (Conclusion.PROVEN, (), ())
    assert (report.case_entries, report.directory_entries, report.size) == (5, 7, 15)
    assert report.cosigners == ("monitor", "police", "shelter", "csw")
    assert list(report.lines())[-1] == "complete as of size 15, cosigned at 2026-01-06T22:40:00Z"


def test_an_honest_bundle_of_several_tiles_is_good() -> None:
    assert found(honest(others=600)).conclusion is Conclusion.PROVEN


@pytest.mark.parametrize("case", [str(CASE), "99999999-9999-4999-8999-999999999999"])
def test_a_bundle_without_an_entry_of_its_case_is_not_accepted(case: str) -> None:
    """The tag of a case cannot be computed without its first event, so a wrong salt proves no absence."""
    report = found(replace(honest(), case=case, salt="00" * 32))
    assert (checks(report), report.conclusion) == ([(Check.WITHHELD, None)], Conclusion.TAMPERED)


def test_a_salt_that_is_not_the_hash_of_the_first_value_is_found() -> None:
    """A log that gives a second tag to the later entries of a case cannot present them as the whole case."""
    dump = honest()
    own = [n for n, entry in enumerate(dump.entries) if entry.case_tag == dump.entries[7].case_tag]
    salt = bytes(range(32))
    for n in own:
        dump.entries[n] = structs.replace(dump.entries[n], case_tag=case_tag(str(CASE).encode(), salt))
    report = found(replace(dump, salt=salt.hex()).checkpointed())
    assert checks(report)[0] == (Check.CONTENT, own[0])
    assert report.conclusion is Conclusion.TAMPERED


def test_without_the_monitor_nothing_is_complete() -> None:
    """Agencies can satisfy a quorum of the auditor's own, but only the monitor recomputes the tags."""
    by_agencies = TrustPolicy.parse(trust_text().replace("quorum all-needed", "quorum agencies").encode())
    report = verify(io.BytesIO(honest().checkpointed(cosigners=AGENCIES).bundle()), by_agencies)
    assert (checks(report), report.conclusion) == ([(Check.COSIGNATURES, None)], Conclusion.NOT_PROVABLE)
    assert "the monitor has not cosigned" in str(report.failures[0])
    assert verify(io.BytesIO(honest().bundle()), by_agencies).conclusion is Conclusion.PROVEN


def test_an_edited_value_is_named() -> None:
    report = found(altered(honest(), THIRD))
    assert checks(report) == [(Check.CONTENT, THIRD)]
    assert str(report.failures[0]).startswith(f"entry 3 of the case, offset {THIRD}: content: ")
    assert report.conclusion is Conclusion.TAMPERED
    assert list(report.lines())[-1].startswith("NOT complete as of size 15, ")


@pytest.mark.parametrize("name", ["content-type", "signature", "key-id"])
def test_each_edited_header_is_named(name: str) -> None:
    dump = honest()
    message = dump.records[THIRD]
    headers = tuple((header, b"x" + (value or b"") if header == name else value) for header, value in message.headers)
    dump.records[THIRD] = Message(message.key, message.value, headers)
    assert checks(found(dump)) == [(Check.CONTENT, THIRD)]


def test_an_edited_key_is_named() -> None:
    dump = honest()
    message = dump.records[THIRD]
    dump.records[THIRD] = Message(str(OTHER_CASE).encode(), message.value, message.headers)
    assert checks(found(dump)) == [(Check.CONTENT, THIRD)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"partition": 1}, Check.ORDER),
        ({"appended_ms": 1_767_225_600_000}, Check.CASE_LINK),
        ({"record_hash": bytes(32)}, Check.CONTENT),
        ({"sequence": 4}, Check.SEQUENCE),
        ({"previous_leaf": NO_PREVIOUS}, Check.CASE_LINK),
    ],
)
def test_each_edited_column_of_an_entry_is_found(columns: dict[str, Any], expected: Check) -> None:
    report = found(edited(honest(), THIRD, **columns))
    assert report.conclusion is Conclusion.TAMPERED
    assert expected in {check for check, _ in checks(report)}
    assert Check.SKELETON in {check for check, _ in checks(report)}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"partition": 1}, Check.ORDER),
        ({"record_hash": bytes(32)}, Check.CONTENT),
        ({"sequence": 4}, Check.SEQUENCE),
        ({"previous_leaf": NO_PREVIOUS}, Check.CASE_LINK),
    ],
)
def test_a_false_entry_is_found_even_where_log_and_witnesses_all_signed_it(
    columns: dict[str, Any], expected: Check
) -> None:
    """The tree is correct: each of these checks works without it."""
    assert checks(found(edited(honest(), OWN[-1], **columns).checkpointed())) == [(expected, OWN[-1])]


def test_a_proof_of_another_leaf_is_found() -> None:
    dump = honest()
    bundle = dump.bundle()
    reader = BundleReader(io.BytesIO(bundle))
    (_, records) = next(reader.tiles())
    proven = {record.offset: record for record in records}
    swapped = proven[THIRD].model_copy(update={"proof": proven[OWN[1]].proof})
    changed = bundle.replace(encoded(proven[THIRD]), encoded(swapped))
    assert checks(verify(io.BytesIO(changed), trust())) == [(Check.INCLUSION, THIRD)]


def without_proofs(bundle: bytes) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    for member in read_members(io.BytesIO(bundle)):
        if member.name.startswith("record/"):
            record = BundleRecord.model_validate_json(member.body).model_copy(update={"proof": ()})
            member = ArchiveMember(member.name, encoded(record) + b"\n")  # noqa: PLW2901 - the same member, otherwise encoded
        writer.add(member)
    writer.close()
    return out.getvalue()


def test_a_record_that_comes_without_its_proof_is_not_proven_and_hides_nothing() -> None:
    """A lost tree does not make a correct entry look false; a truncated end is still named first."""
    whole, cut = honest(), replace(honest(), entries=honest().entries[:12])
    report = verify(io.BytesIO(without_proofs(whole.bundle())), trust())
    assert (checks(report), report.conclusion) == ([(Check.INCLUSION, 0)], Conclusion.NOT_PROVABLE)
    report = verify(io.BytesIO(without_proofs(cut.bundle())), trust())
    assert (checks(report)[0], report.conclusion) == ((Check.SKELETON, None), Conclusion.TAMPERED)


def encoded(record: BundleRecord) -> bytes:
    return record.model_dump_json().encode()


def test_an_edited_time_of_the_last_entry_shows_in_the_tree() -> None:
    """Nothing follows it that could show a broken link."""
    report = found(edited(honest(), OWN[-1], appended_ms=1_767_225_600_000))
    assert checks(report)[-1] == (Check.SKELETON, None)


def test_an_entry_moved_to_another_case_breaks_both() -> None:
    dump = honest()
    report = found(edited(dump, THIRD, case_tag=dump.entries[8].case_tag))
    assert {Check.SEQUENCE, Check.SKELETON} <= {check for check, _ in checks(report)}


def test_an_edit_of_an_entry_of_another_case_shows_in_the_tree() -> None:
    report = found(edited(honest(), 8, record_hash=bytes(32)))
    assert {check for check, _ in checks(report)} == {Check.INCLUSION, Check.SKELETON}


def test_an_edit_with_all_hashes_recomputed_is_found_by_the_emitters_signature() -> None:
    """Every hash is worked out again, and every inclusion then fails: the edited entry is what is named."""
    report = found(altered(honest(), THIRD).relinked())
    assert checks(report)[0] == (Check.SIGNATURE, THIRD)
    assert report.conclusion is Conclusion.TAMPERED


def test_an_edit_under_a_head_that_the_log_signed_again_is_found_by_the_signature() -> None:
    """The log's key is compromised too, but no witness cosigns."""
    report = found(altered(honest(), THIRD).relinked().checkpointed(cosigners=()))
    assert checks(report) == [(Check.SIGNATURE, THIRD), (Check.COSIGNATURES, None)]


def test_an_edit_signed_by_another_member_is_found() -> None:
    dump = honest()
    forged = reading(1, "police", key=key_of("csw"))
    dump.records[THIRD] = forged
    report = found(dump.relinked().checkpointed())
    assert checks(report) == [(Check.KEY, THIRD)]
    assert "its source is police, but csw signed it" in str(report.failures[0])


def test_a_dropped_entry_leaves_a_gap() -> None:
    dump = honest()
    del dump.entries[THIRD]
    report = found(dump)
    assert (Check.ORDER, THIRD) in checks(report)
    assert (Check.SKELETON, None) in checks(report)


def test_a_dropped_entry_with_all_that_follows_moved_up_is_found() -> None:
    """Relinked, renumbered and without a gap: the root is another."""
    dump = honest()
    kept = [dump.records[offset] for offset in range(dump.size) if offset != THIRD]
    report = found(replace(dump_of(kept), checkpoint=dump.checkpoint))
    assert {check for check, _ in checks(report)} == {Check.INCLUSION, Check.SKELETON}
    assert "14 of the checkpoint's 15 entries" in str(report.failures[-1])


def test_swapped_contents_are_found() -> None:
    dump = honest()
    dump.records[OWN[1]], dump.records[OWN[2]] = dump.records[OWN[2]], dump.records[OWN[1]]
    assert checks(found(dump)) == [(Check.CONTENT, OWN[1])]


def test_swapped_entries_are_found() -> None:
    dump = honest()
    dump.entries[OWN[1]], dump.entries[OWN[2]] = dump.entries[OWN[2]], dump.entries[OWN[1]]
    report = found(dump)
    assert checks(report)[0][1] == OWN[1]
    assert report.conclusion is Conclusion.TAMPERED


@pytest.mark.parametrize("offset", [*OWN, 3])
def test_a_withheld_record_is_named(offset: int) -> None:
    """The case's or the directory's: the skeleton tells that it is there."""
    dump = honest()
    del dump.records[offset]
    assert (Check.WITHHELD, offset) in checks(found(dump))


def test_a_cut_tail_shows() -> None:
    dump = honest()
    for offset in OWN[3:]:
        del dump.records[offset]
    report = found(dump)
    assert checks(report) == [(Check.WITHHELD, OWN[3])]
    assert report.failures[0].more == 1


def test_a_shortened_skeleton_shows() -> None:
    """Entries and records cut at the same place, with the checkpoint of the whole: the proofs are of another tree."""
    dump = honest()
    report = found(replace(dump, entries=dump.entries[:12]))
    assert (Check.SKELETON, None) in checks(report)
    assert "12 of the checkpoint's 15 entries" in str(report.failures[-1])


def test_a_lengthened_skeleton_shows() -> None:
    dump = honest()
    longer = dump_of([*dump.records.values(), reading(50)])
    assert (Check.SKELETON, None) in checks(found(replace(longer, checkpoint=dump.checkpoint)))


def test_a_bundle_cut_off_anywhere_is_no_bundle() -> None:
    bundle = honest().bundle()
    for end in range(0, len(bundle), 509):
        with pytest.raises(NotABundle):
            verify(io.BytesIO(bundle[:end]), trust())


def test_an_old_honest_bundle_does_not_prove_today() -> None:
    dump = honest()
    report = found(dump, as_of=COSIGNED_AT + timedelta(days=1))
    assert (checks(report), report.conclusion) == ([(Check.AGE, None)], Conclusion.NOT_PROVABLE)
    assert found(dump, as_of=COSIGNED_AT).conclusion is Conclusion.PROVEN


def test_a_head_is_proven_until_enough_vouched_for_it() -> None:
    """One late cosignature does not make an old bundle young."""
    dump = honest().checkpointed(cosigners=("monitor", "police"))
    late = checkpoint(
        TreeHead(dump.size, tree(dump.entries).root), cosigners=("csw",), at=COSIGNED_AT + timedelta(days=9)
    )
    mixed = replace(dump, checkpoint=dump.checkpoint.signed(late.signatures[-1]))
    assert found(mixed).cosigned_at == COSIGNED_AT


@pytest.mark.parametrize("cosigners", [(), ("monitor",), ("monitor", "police"), ("police", "shelter", "csw")])
def test_too_few_cosignatures_prove_nothing(cosigners: Sequence[str]) -> None:
    """Two agencies and the monitor are asked for."""
    report = found(honest().checkpointed(cosigners=cosigners))
    assert (checks(report), report.conclusion) == ([(Check.COSIGNATURES, None)], Conclusion.NOT_PROVABLE)
    assert list(report.lines())[-1] == "NOT complete as of size 15, without a quorum of cosignatures"


def test_keys_that_come_with_the_bundle_are_not_trusted() -> None:
    """A superuser's own log key, under the log's own name."""
    dump = honest()
    smuggled = checkpoint(TreeHead(dump.size, tree(dump.entries).root), log=key_of("a superuser"))
    report = found(replace(dump, checkpoint=smuggled))
    assert (checks(report), report.conclusion) == ([(Check.CHECKPOINT, None)], Conclusion.NOT_PROVABLE)


def test_a_trust_file_in_the_bundle_is_no_bundle() -> None:
    bundle = honest().bundle()
    with pytest.raises(NotABundle):
        verify(
            io.BytesIO(bundle.replace(b"receipt/", b"trusted/").replace(b"checkpoint\0", b"trust\0\0\0\0\0\0")), trust()
        )


def test_a_record_with_another_beginning_is_found() -> None:
    """Another coordinator's founding, with everything under it signed and cosigned as it should be."""
    first, *rest = founding()
    value = (first.value or b"").replace(key_of(COORDINATOR).public_key.hex().encode(), bytes(64).replace(b"\0", b"a"))
    report = found(dump_of([Message(first.key, value, first.headers), *rest, opened()]))
    assert checks(report)[0] == (Check.GENESIS, 7)
    assert report.conclusion is Conclusion.TAMPERED


def test_an_empty_record_has_no_beginning() -> None:
    assert (Check.GENESIS, None) in checks(found(dump_of([])))


def revoked(member: str) -> Message:
    return emitted(d.KeyRevoked(key=key_of(member).id), emitter=COORDINATOR)


def retired(member: str) -> Message:
    return emitted(d.KeyRetired(key=key_of(member).id), emitter=member)


def test_an_event_signed_before_the_keys_revocation_counts() -> None:
    assert found(dump_of([*founding(), opened(), reading(1), revoked("police")])).conclusion is Conclusion.PROVEN


def test_an_event_signed_after_the_keys_revocation_is_named() -> None:
    report = found(dump_of([*founding(), opened(), revoked("police"), reading(1)]))
    assert checks(report) == [(Check.KEY, 9)]
    assert "police's key was revoked before" in str(report.failures[0])


def test_a_retired_key_counts_for_a_day_of_the_records_time() -> None:
    hour = 3_600_000
    messages = [*founding(), opened(), retired("police"), *(reading(n) for n in range(26))]
    report = found(dump_of(messages, step_ms=hour))
    assert checks(report) == [(Check.KEY, 33)]
    assert report.failures[0].more == 1


def test_a_retired_keys_day_does_not_come_back_with_a_clock_that_is_set_back() -> None:
    """The record's time is the running maximum of append times."""
    messages = [*founding(), opened(), retired("police"), reading(1, "csw"), reading(2)]
    dump = dump_of(messages)
    later = dump.entries[9].appended_ms + 25 * 3_600_000
    dump.entries = [structs.replace(e, appended_ms=later) if e.offset == 9 else e for e in dump.entries]
    assert checks(found(dump.relinked().checkpointed())) == [(Check.KEY, 10)]


def test_a_registration_that_is_sent_again_does_not_bring_a_revoked_key_back() -> None:
    beginning = founding()
    police = next(m for m in beginning if key_of("police").public_key.hex().encode() in (m.value or b""))
    report = found(dump_of([*beginning, opened(), revoked("police"), police, reading(1)]))
    assert checks(report) == [(Check.KEY, 10)]
    assert report.remarks == ("offset 9 repeats offset 2 and is ignored",)


def test_an_unregistered_key_is_named() -> None:
    stranger = SigningKey(bytes(range(32)))
    report = found(dump_of([*founding(), opened(), reading(1, key=stranger)]))
    assert checks(report) == [(Check.KEY, 8)]


def test_an_event_from_another_generation_is_named() -> None:
    body = d.KeyRetired(key=key_of("police").id)
    foreign = signed(event(body, emitter="police", generation=2))
    report = found(dump_of([*founding(), opened(), foreign]))
    assert checks(report) == [(Check.SIGNATURE, 8)]


def test_the_first_with_an_id_counts_and_repetitions_are_remarked() -> None:
    report = found(dump_of([*founding(), opened(), reading(1), reading(1)]))
    assert report.conclusion is Conclusion.PROVEN
    assert report.remarks == ("offset 9 repeats offset 8 and is ignored",)


def test_a_receipt_that_the_record_keeps_is_good() -> None:
    dump = honest()
    dump.receipts = [receipt(dump, THIRD), receipt(dump, THIRD, size=THIRD + 1)]
    report = found(dump)
    assert (report.conclusion, report.receipts) == (Conclusion.PROVEN, 2)


def test_a_receipt_that_the_record_does_not_keep_shows_the_log_up() -> None:
    """The emitter kept what the log promised; the log then left the event out and made a new tree of the rest."""
    dump = honest()
    promised = receipt(dump, OWN[-1])
    report = found(dump_of([dump.records[n] for n in range(14)] + [reading(70)]), receipts=[promised])
    assert (checks(report), report.conclusion) == ([(Check.RECEIPT, None)], Conclusion.TAMPERED)


def test_a_receipt_for_a_size_that_came_before_its_event_shows_the_log_up() -> None:
    dump = honest()
    assert checks(found(dump, receipts=[receipt(dump, THIRD, size=THIRD)])) == [(Check.RECEIPT, None)]


def test_a_receipt_beyond_the_checkpoint_is_not_proven() -> None:
    dump = honest()
    assert found(dump, receipts=[receipt(dump, THIRD, size=99)]).conclusion is Conclusion.NOT_PROVABLE


def test_a_receipt_that_the_log_did_not_sign_proves_nothing() -> None:
    dump = honest()
    forged = receipt(dump, THIRD).replace(b"\n15\n", b"\n14\n")
    report = found(dump, receipts=[forged, b"hello"])
    assert (checks(report), report.conclusion) == ([(Check.RECEIPT, None)], Conclusion.NOT_PROVABLE)


def test_a_record_of_another_case_does_not_hide_in_a_bundle() -> None:
    dump = honest()
    other = dump.about(OTHER_CASE).bundle()
    mine = dump.bundle()
    member = other.index(b"record/000000000008.json")
    own = mine.index(b"record/000000000007.json")
    smuggled = mine[:own] + mine[own : own + 0] + other[member : other.index(b"record/", member + 10)] + mine[own:]
    report = verify(io.BytesIO(smuggled), trust())
    assert (Check.STRAY, 8) in checks(report)
    assert report.conclusion is Conclusion.TAMPERED


def test_bytes_that_are_no_entry_are_found() -> None:
    bundle = bytearray(honest().bundle())
    at = bundle.index(b"handoff/entry/v1\n")
    bundle[at] ^= 1
    report = verify(io.BytesIO(bytes(bundle)), trust())
    assert (Check.SKELETON, 0) in checks(report)


def test_the_first_failure_comes_first_in_what_is_printed() -> None:
    dump = altered(altered(honest(), OWN[1]), OWN[2])
    lines = list(found(dump).lines())
    assert f"tampered: entry 2 of the case, offset {OWN[1]}: content: " in lines[3]
    assert lines[3].endswith("(and 1 more like it)")


def test_entries_are_numbered_within_their_case() -> None:
    assert isinstance(honest().entries[0], LogEntry)
    assert [n for n, entry in enumerate(honest().entries) if entry.case_tag == honest().entries[7].case_tag] == list(
        OWN
    )
    assert str(CASE) == honest().case


def _stamped(message: Message, at_ms: int) -> Message:
    return Message(message.key, message.value, stamped(message.headers, at_ms))


@pytest.mark.parametrize("ahead", [0, 1, 365 * 24 * 3_600_000])
def test_a_time_beyond_the_exchanges_stamp_is_found(ahead: int) -> None:
    """Log and broker together cannot move record time further than five minutes ahead of the stamp that they signed."""
    before = [*founding(), opened()]
    dump = dump_of([*(_stamped(message, to_ms(T0)) for message in before), reading(1)])
    last = len(before) - 1
    latest = to_ms(T0) + BOUND_MS
    later = edited(dump, last, appended_ms=latest + ahead)
    later.entries[last + 1] = structs.replace(later.entries[last + 1], previous_leaf=later.entries[last].leaf_hash())
    report = found(later.checkpointed())
    assert checks(report) == ([(Check.RECORD_TIME, last)] if ahead else [])
