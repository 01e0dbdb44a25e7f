"""Content of a bundle: about other cases, and after a redaction."""

import hashlib
import io

from handoff.proof.log.entry import case_tag
from handoff.proof.verify.report import Conclusion
from handoff.proof.verify.verifier import verify
from handoff.record import formats
from handoff.record.codes import EntryPoint, RedactionReason, ReportingDelay
from handoff.record.events import case as c
from handoff.views.redaction_effects import redacted
from tests.support.dsl.builders import OTHER_CASE, T0, event, signed
from tests.support.dsl.judged import founded, projected
from tests.support.parts.proof_record import honest, trust


def test_a_case_id_finds_nothing_in_another_case_s_bundle() -> None:
    """The tag of a case cannot be worked out from its id, with any mark of the formats and without the first event."""
    key, bundle = str(OTHER_CASE).encode(), honest().bundle()
    guesses = {hashlib.sha256(mark + key).digest() for mark in (b"handoff/case/v1\n", formats.TAG)}
    guesses |= {case_tag(key, salt) for salt in (bytes(32), hashlib.sha256(b"").digest(), hashlib.sha256(key).digest())}
    assert not [guess for guess in guesses if guess in bundle]
    first = next(m.value for m in honest().records.values() if m.key == key)
    assert case_tag(key, hashlib.sha256(first or b"").digest()) in bundle


def test_a_tag_depends_on_more_than_the_id() -> None:
    """Two cases that have only their id in common have different tags."""
    tags = {_tag_of(entry_point) for entry_point in (EntryPoint.HOTLINE, EntryPoint.SCHOOL)}
    assert len(tags) == 2


def _tag_of(entry_point: EntryPoint) -> bytes:
    opening = c.CaseOpened(entry_point=entry_point, reporting_delay=ReportingDelay.UNKNOWN)
    return projected(founded((signed(event(opening, subject=OTHER_CASE)), T0))).rows[-1].entry.case_tag


def test_a_stub_without_a_redaction_on_the_record_is_tampering() -> None:
    """The coordinator records a redaction with offset, hash and reason; a stub without that event is no redaction."""
    dump = honest()
    last = dump.size - 1
    dump.records[last] = redacted(dump.records[last], RedactionReason.PERSONAL_DATA)
    assert verify(io.BytesIO(dump.bundle()), trust()).conclusion is Conclusion.TAMPERED
