"""Offline verifier: checks a case bundle against an auditor's trust policy.

It needs neither a network nor a database. Source: docs/proof.md, *Bundle of a case*.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO

from handoff.proof.log.checkpoint import NotSignedByLog
from handoff.proof.log.note import InvalidSignature, MalformedNote
from handoff.proof.log.receipt import Receipt, open_receipt
from handoff.proof.log.verifiers import NoteVerifier
from handoff.proof.verify.authorship import AuthorshipCheck
from handoff.proof.verify.bundle import BundleReader, bundle_strands
from handoff.proof.verify.bundle_checks import CASE, DIRECTORY, BundleScan, Strand
from handoff.proof.verify.checkpoint_trust import CheckpointDistrusted, TrustedCheckpoint, check_trust
from handoff.proof.verify.keyring import Keyring
from handoff.proof.verify.report import (
    Check,
    Conclusion,
    Findings,
    FindingSummary,
    VerificationFinding,
    VerificationReport,
)
from handoff.proof.verify.trust import TrustPolicy

_MOST_REMARKS = 20


def verify(
    source: BinaryIO, trust: TrustPolicy, *, as_of: datetime | None = None, receipts: Iterable[bytes] = ()
) -> VerificationReport:
    """Verify the bundle in ``source`` in one pass and constant memory.

    ``as_of``: the bundle must be complete at least up to this time. ``receipts``: notes kept by emitters, besides
    those in the bundle. Raises ``NotABundle`` if the file is not a bundle.
    """
    bundle = BundleReader(source)
    try:
        vouched = check_trust(bundle.manifest.origin, bundle.checkpoint, trust)
    except CheckpointDistrusted as error:
        return VerificationReport(
            bundle.manifest.origin, bundle.manifest.case, failures=(FindingSummary(error.finding),)
        )
    failures = Findings()
    if (finding := vouched.finding(as_of)) is not None:
        failures.add(finding)
    promised = tuple(_opened((*bundle.receipts, *receipts), vouched.log.key, failures))
    walk = _walked(bundle, vouched, promised, failures)
    _hold_to(promised, walk)
    return _report(bundle, vouched, walk, len(promised))


def _walked(
    bundle: BundleReader, vouched: TrustedCheckpoint, promised: tuple[Receipt, ...], failures: Findings
) -> BundleScan:
    origin = vouched.opened.checkpoint.origin
    authors = AuthorshipCheck(origin, vouched.log.genesis_hash, Keyring(origin.jurisdiction))
    directory, case = bundle_strands(bundle.manifest, origin.jurisdiction, vouched.log.genesis_hash)
    strands = {directory.tag: Strand(DIRECTORY, directory), case.tag: Strand(CASE, case)}
    walk = BundleScan(vouched.opened.head, authors, strands, {r.record_hash: None for r in promised}, failures)
    for tile, records in bundle.tiles():
        walk.take(tile, records)
    walk.finish()
    return walk


def _opened(notes: Iterable[bytes], log: NoteVerifier, failures: Findings) -> Iterable[Receipt]:
    for note in notes:
        try:
            yield open_receipt(note, log)
        except (MalformedNote, NotSignedByLog, InvalidSignature) as error:
            # An invalid receipt is evidence neither for nor against the record.
            failures.add(VerificationFinding(Check.RECEIPT, f"an invalid receipt: {error}", Conclusion.NOT_PROVABLE))


def _hold_to(promised: tuple[Receipt, ...], walk: BundleScan) -> None:
    for receipt in promised:
        offset = walk.receipts[receipt.record_hash]
        if receipt.size > walk.head.size:
            sentence = f"a receipt names size {receipt.size}, beyond this checkpoint"
            walk.failures.add(VerificationFinding(Check.RECEIPT, sentence, Conclusion.NOT_PROVABLE))
        elif offset is None or offset >= receipt.size:
            sentence = (
                f"{receipt.record_hash.hex()} is covered by a receipt for size {receipt.size} but not by the record"
            )
            walk.failures.add(VerificationFinding(Check.RECEIPT, sentence))


def _report(bundle: BundleReader, vouched: TrustedCheckpoint, walk: BundleScan, receipts: int) -> VerificationReport:
    directory, case = walk.strands.values()
    more = len(walk.remarks) - _MOST_REMARKS
    remarks = (*walk.remarks[:_MOST_REMARKS], *([f"and {more} more remarks"] if more > 0 else []))
    return VerificationReport(
        origin=bundle.manifest.origin,
        case=bundle.manifest.case,
        size=walk.head.size,
        cosigned_at=vouched.proven_at,
        cosigners=vouched.cosigners,
        case_entries=case.count,
        directory_entries=directory.count,
        receipts=receipts,
        remarks=remarks,
        failures=walk.failures.ranked(),
    )
