"""The auditor's verifier: what a bundle proves to someone who trusts only what the trust file names.

It needs neither a network, nor a database, nor anyone's word. Source: proof.md, *Bundle of a case*.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO

from handoff.proof.log.checkpoint import NotSigned
from handoff.proof.log.note import NotANote, NoteKey, NotGenuine
from handoff.proof.log.receipt import Receipt, open_receipt
from handoff.proof.verify.authorship import Authors
from handoff.proof.verify.bundle import BundleReader, wanted_tags
from handoff.proof.verify.bundle_checks import Strand, Walk
from handoff.proof.verify.checkpoint_trust import Distrusted, Vouched, vouch
from handoff.proof.verify.keyring import Keyring
from handoff.proof.verify.report import Check, Failure, Failures, Objection, Outcome, Report
from handoff.proof.verify.trust import Trust

_MOST_REMARKS = 20


def verify(source: BinaryIO, trust: Trust, *, as_of: datetime | None = None, receipts: Iterable[bytes] = ()) -> Report:
    """What the bundle in ``source`` proves, read once and in flat memory.

    ``as_of``: it must be complete at least until then. ``receipts``: notes that emitters kept, beside those in the
    bundle. Raises ``NotABundle`` where the file cannot be read as one.
    """
    bundle = BundleReader(source)
    try:
        vouched = vouch(bundle.manifest.origin, bundle.checkpoint, trust)
    except Distrusted as error:
        return Report(bundle.manifest.origin, bundle.manifest.case, failures=(Failure(error.objection),))
    failures = Failures()
    if (objection := vouched.objection(as_of)) is not None:
        failures.add(objection)
    promised = tuple(_opened((*bundle.receipts, *receipts), vouched.log.key, failures))
    walk = _walked(bundle, vouched, promised, failures)
    _hold_to(promised, walk)
    return _report(bundle, vouched, walk, len(promised))


def _walked(bundle: BundleReader, vouched: Vouched, promised: tuple[Receipt, ...], failures: Failures) -> Walk:
    origin = vouched.opened.checkpoint.origin
    authors = Authors(origin, vouched.log.genesis_hash, Keyring(origin.jurisdiction))
    directory, case = wanted_tags(bundle.manifest, origin.jurisdiction)
    strands = {directory: Strand("directory", directory), case: Strand("case", case)}
    walk = Walk(vouched.opened.head, authors, strands, {r.record_hash: None for r in promised}, failures)
    for tile, records in bundle.tiles():
        walk.take(tile, records)
    walk.finish()
    return walk


def _opened(notes: Iterable[bytes], log: NoteKey, failures: Failures) -> Iterable[Receipt]:
    for note in notes:
        try:
            yield open_receipt(note, log)
        except (NotANote, NotSigned, NotGenuine) as error:
            # Whoever brings a receipt that is none proves nothing, neither for the record nor against it.
            failures.add(Objection(Check.RECEIPT, f"a receipt that proves nothing: {error}", Outcome.UNPROVEN))


def _hold_to(promised: tuple[Receipt, ...], walk: Walk) -> None:
    for receipt in promised:
        offset = walk.receipts[receipt.record_hash]
        if receipt.size > walk.head.size:
            sentence = f"a receipt is for size {receipt.size}, beyond this checkpoint"
            walk.failures.add(Objection(Check.RECEIPT, sentence, Outcome.UNPROVEN))
        elif offset is None or offset >= receipt.size:
            sentence = f"{receipt.record_hash.hex()} was promised under size {receipt.size} and is not there"
            walk.failures.add(Objection(Check.RECEIPT, sentence))


def _report(bundle: BundleReader, vouched: Vouched, walk: Walk, receipts: int) -> Report:
    directory, case = walk.strands.values()
    more = len(walk.remarks) - _MOST_REMARKS
    remarks = (*walk.remarks[:_MOST_REMARKS], *([f"and {more} more remarks"] if more > 0 else []))
    return Report(
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
