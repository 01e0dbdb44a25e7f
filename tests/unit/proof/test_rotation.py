"""Keys of the log and of a cosigner that were replaced: they count up to a size, and the next ones beyond it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handoff.proof.log.checkpoint import NotSignedByLog, TreeHead, cosigned_at, cosigner_key, log_key, open_checkpoint
from handoff.proof.log.note import InvalidSignature, Note, NoteSignature
from handoff.proof.log.receipt import open_receipt
from handoff.proof.log.signer import Cosigner, LogSigner, ReceiptEntry
from handoff.proof.log.verifiers import EndedKey, RotatedKey, Verifier, verifier_of
from handoff.proof.verify.report import Conclusion, VerificationReport
from handoff.proof.verify.trust import MalformedTrustFile, TrustedLog, TrustPolicy, write_trust
from handoff.proof.verify.verifier import verify
from handoff.record.delivery import EFFECTIVE
from handoff.record.signing import SigningKey
from tests.support.dsl.builders import JURISDICTION, T0, key_of, nth_id
from tests.support.parts.proof_record import (
    AGENCIES,
    COSIGNED_AT,
    LOG,
    ORIGIN,
    Dump,
    checkpoint,
    genesis_hash,
    honest,
    tree,
    witness_key,
)

NEXT, NEXT_WITNESS, NEXT_MONITOR = (key_of(f"the next key of the {name}") for name in ("log", "police", "monitor"))
OLD_KEY, NEXT_KEY = log_key(ORIGIN, LOG.public_key), log_key(ORIGIN, NEXT.public_key)
VECTORS = Path(__file__).parents[3] / "docs" / "vectors" / "key_rotation.json"
SIZE = honest().size
HEAD = TreeHead(SIZE, tree(honest().entries).root)


def renewed(
    until: int = SIZE, log: Verifier | None = None, police: Verifier | None = None, monitor: Verifier | None = None
) -> str:
    """A trust file after the rotation of the log's key at ``until``, and of the given keys."""
    own = {n: cosigner_key(JURISDICTION, n, witness_key(n).public_key) for n in ("monitor", *AGENCIES)}
    keys: dict[str, Verifier] = {**own, **({} if police is None else {"police": police})}
    rotated = log if log is not None else RotatedKey((EndedKey(OLD_KEY, until), NEXT_KEY))
    logs, agencies = [TrustedLog(rotated, genesis_hash())], map(keys.__getitem__, AGENCIES)
    return write_trust(logs, monitor or own["monitor"], agencies, 2)


def verified(dump: Dump, policy: TrustPolicy) -> VerificationReport:
    return verify(io.BytesIO(dump.bundle()), policy)


def trusted(text: str) -> TrustPolicy:
    return TrustPolicy.parse(text.encode())


def rotated(name: str, following: SigningKey, until: int) -> Verifier:
    old, new = witness_key(name), following
    return RotatedKey(
        (
            EndedKey(cosigner_key(JURISDICTION, name, old.public_key), until),
            cosigner_key(JURISDICTION, name, new.public_key),
        )
    )


def test_a_bundle_of_before_the_rotation_still_verifies_under_the_renewed_trust_file() -> None:
    assert verified(honest(), trusted(renewed())).conclusion is Conclusion.PROVEN


def test_the_old_key_does_not_count_beyond_its_end() -> None:
    assert verified(honest(), trusted(renewed(SIZE - 1))).conclusion is Conclusion.NOT_PROVABLE


def test_a_checkpoint_by_the_next_key_counts_for_the_renewed_trust_file_alone() -> None:
    dump = signed_by(NEXT)
    assert verified(dump, trusted(renewed())).conclusion is Conclusion.PROVEN
    assert verified(dump, trusted(renewed(log=OLD_KEY))).conclusion is Conclusion.NOT_PROVABLE


def test_during_the_rotation_the_log_signs_with_both_and_every_reader_finds_its_key() -> None:
    signer = LogSigner(ORIGIN, LOG, NEXT)
    note = str(signer.state(HEAD)).encode()
    for reader in (OLD_KEY, NEXT_KEY, RotatedKey((OLD_KEY, NEXT_KEY)), RotatedKey((EndedKey(OLD_KEY, 1), NEXT_KEY))):
        assert open_checkpoint(note, reader).head == HEAD
    entry = ReceiptEntry(3, bytes(32), "case", "police", nth_id(1), 1, EFFECTIVE)
    for reader in (OLD_KEY, NEXT_KEY, RotatedKey((EndedKey(OLD_KEY, 1), NEXT_KEY))):
        assert open_receipt(str(signer.receipt(SIZE, entry)).encode(), reader).size == SIZE


def test_a_receipt_by_the_old_key_counts_up_to_its_end() -> None:
    entry = ReceiptEntry(3, bytes(32), "case", "police", nth_id(1), 1, EFFECTIVE)
    raw = str(LogSigner(ORIGIN, LOG).receipt(SIZE, entry)).encode()
    assert open_receipt(raw, RotatedKey((EndedKey(OLD_KEY, SIZE), NEXT_KEY))).size == SIZE
    with pytest.raises(NotSignedByLog):
        open_receipt(raw, RotatedKey((EndedKey(OLD_KEY, SIZE - 1), NEXT_KEY)))


def test_a_wrong_signature_by_one_known_key_refuses_the_note() -> None:
    note = LogSigner(ORIGIN, LOG).state(HEAD)
    forged = note.signed(NoteSignature(NEXT_KEY.name, NEXT_KEY.id, bytes(64)))
    assert open_checkpoint(str(forged).encode(), OLD_KEY)
    with pytest.raises(InvalidSignature):
        open_checkpoint(str(forged).encode(), RotatedKey((OLD_KEY, NEXT_KEY)))


def test_a_cosigner_signs_with_both_keys_and_counts_once() -> None:
    note = Note(checkpoint(HEAD).text)
    police = Cosigner.of(JURISDICTION, "police", witness_key("police"), NEXT_WITNESS)
    both = note.signed(*police.sign(note, T0))
    for verifier in (*police.keys, rotated("police", NEXT_WITNESS, 1), rotated("police", NEXT_WITNESS, SIZE)):
        assert cosigned_at(both, verifier) == T0
    old = note.signed(*Cosigner.of(JURISDICTION, "police", witness_key("police")).sign(note, T0))
    assert cosigned_at(old, rotated("police", NEXT_WITNESS, SIZE)) == T0
    assert cosigned_at(old, rotated("police", NEXT_WITNESS, SIZE - 1)) is None


def test_two_keys_of_one_agency_are_no_quorum_of_two() -> None:
    trust = trusted(renewed(log=OLD_KEY, police=rotated("police", NEXT_WITNESS, SIZE)))
    dump = honest()
    monitor_alone = checkpoint(HEAD, cosigners=("monitor",))
    police = Cosigner.of(JURISDICTION, "police", witness_key("police"), NEXT_WITNESS)
    dump.checkpoint = monitor_alone.signed(*police.sign(monitor_alone, COSIGNED_AT))
    report = verified(dump, trust)
    assert report.conclusion is Conclusion.NOT_PROVABLE
    assert report.cosigners == ("monitor", "police")


def test_the_monitor_with_its_next_key_is_the_monitor() -> None:
    trust = trusted(renewed(log=OLD_KEY, monitor=rotated("monitor", NEXT_MONITOR, 1)))
    assert verified(honest(), trust).conclusion is Conclusion.NOT_PROVABLE
    dump = honest()
    agencies = checkpoint(HEAD, cosigners=AGENCIES)
    dump.checkpoint = agencies.signed(*Cosigner.of(JURISDICTION, "monitor", NEXT_MONITOR).sign(agencies, COSIGNED_AT))
    assert verified(dump, trust).conclusion is Conclusion.PROVEN


def test_a_rotated_trust_file_is_read_back_as_it_was_written() -> None:
    police = rotated("police", NEXT_WITNESS, 7)
    text = renewed(11, police=police, monitor=rotated("monitor", NEXT_MONITOR, 9))
    trust = trusted(text)
    assert trust.logs[str(ORIGIN)].key == RotatedKey((EndedKey(OLD_KEY, 11), NEXT_KEY))
    assert trust.cosigner(police.name) == police
    assert f"# handoff: until 11 {OLD_KEY.short}" in text.splitlines()
    assert "group police-keys any police police-2" in text.splitlines()
    assert "group monitor-keys any monitor monitor-2" in text.splitlines()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda text: text + f"# handoff: until 3 {OLD_KEY.short}\n", "two ends"),
        (lambda text: text + f"# handoff: until 3 {ORIGIN}+00000000\n", "not exactly one key"),
        (lambda text: text + f"# handoff: until -3 {NEXT_KEY.short}\n", "decimal"),
        (lambda text: text + f"# handoff: until 3 {NEXT_KEY.name}\n", "not a line that Handoff defines"),
        (lambda text: text.replace("police-keys any", "police-keys all"), "into one group"),
        (lambda text: text.replace("any police police-2", "any police csw police-2"), "counted twice"),
        (lambda text: text.replace("group police-keys any police police-2\n", "").replace("e-keys", "e"), "one group"),
    ],
)
def test_an_ambiguous_rotation_is_refused(change: Callable[[str], str], named: str) -> None:
    text = renewed(police=rotated("police", NEXT_WITNESS, 7))
    with pytest.raises(MalformedTrustFile, match=named):
        trusted(change(text))


def test_a_key_that_occurs_once_is_itself() -> None:
    assert verifier_of((OLD_KEY,)) is OLD_KEY


def signed_by(key: SigningKey) -> Dump:
    dump = honest()
    dump.checkpoint = checkpoint(HEAD, log=key)
    return dump


def test_the_published_vectors_hold() -> None:
    """Notes of the log and of a cosigner, with the verdict under a rotated trust file of docs/proof.md's form."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    trust = trusted(vectors["trust_file"])
    log = trust.logs[str(ORIGIN)].key
    assert vectors["notes"]
    for vector in vectors["notes"]:
        try:
            opened = open_checkpoint(vector["note"].encode(), log)
        except NotSignedByLog:
            assert not vector["signed_by_log"], vector["name"]
            continue
        assert vector["signed_by_log"], vector["name"]
        cosigned = [name for name, witness in trust.witnesses.items() if cosigned_at(opened.note, witness) is not None]
        assert cosigned == vector["cosigned_by"], vector["name"]


def test_the_vectors_are_those_of_this_program() -> None:
    assert json.loads(VECTORS.read_text(encoding="utf-8")) == vectors_now()


def vectors_now() -> dict[str, Any]:
    """Compute the content of ``docs/vectors/key_rotation.json``."""
    police = Cosigner.of(JURISDICTION, "police", witness_key("police"))
    both = Cosigner.of(JURISDICTION, "police", witness_key("police"), NEXT_WITNESS)
    signers = {"old": LogSigner(ORIGIN, LOG), "both": LogSigner(ORIGIN, LOG, NEXT), "next": LogSigner(ORIGIN, NEXT)}
    notes = []
    for size, root in ((11, b"\x01" * 32), (12, b"\x02" * 32)):
        for name, signer in signers.items():
            for cosigner in (police, both):
                note = signer.state(TreeHead(size, root))
                note = note.signed(*cosigner.sign(note, COSIGNED_AT))
                keys = ["police"] * (size <= 11) + ["police-2"] * (cosigner is both)
                signed = name != "old" or size <= 11
                notes.append(
                    {
                        "name": f"size {size}, log keys: {name}, keys of the cosigner: {len(cosigner.keys)}",
                        "note": str(note),
                        "signed_by_log": signed,
                        "cosigned_by": keys if signed else [],
                    }
                )
    return {"trust_file": renewed(11, police=rotated("police", NEXT_WITNESS, 11)), "notes": notes}
