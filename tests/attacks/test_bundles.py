"""Content of a bundle: about other cases, and after a redaction."""

import hashlib
import io
from datetime import timedelta

import pytest

from handoff.domain.directory import Directory
from handoff.proof.log.entry import case_tag
from handoff.proof.verify.bundle import BundleReader
from handoff.proof.verify.report import Conclusion
from handoff.proof.verify.verifier import verify
from handoff.record import formats
from handoff.record.codes import (
    CapacityBand,
    CapacityState,
    CapacityUnit,
    CaseService,
    EntryPoint,
    RedactionReason,
    RefusalCode,
    ReportingDelay,
)
from handoff.record.envelope import EXCHANGE
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.views.redaction_effects import DirectoryNotRedactable, dependent_offsets, redacted
from tests.support.dsl.builders import CASE, GENERATION, JURISDICTION, OTHER_CASE, T0, event, signed
from tests.support.dsl.judged import GENESIS_HASH, founded, parsed, projected
from tests.support.parts.proof_record import dump_of, emitted, founding, honest, opened, reading, trust


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


_FULL = d.CapacityPublished(
    service=CaseService.SHELTER,
    unit=CapacityUnit.PLACE,
    band=CapacityBand.NONE,
    state=CapacityState.OPEN,
    as_of=T0,
    valid_until=T0 + timedelta(hours=12),
)


def test_a_bundle_carries_the_directory_and_no_status() -> None:
    """Capacities, capabilities and refusals are a strand of their own, and the bundle proves the case without it."""
    status = [
        emitted(_FULL, emitter="shelter"),
        emitted(d.CapabilitiesPublished(reads=("referral.requested.v1",)), emitter="police"),
        emitted(d.SubmissionRefused(member="csw", code=RefusalCode.SCHEMA, value_hashes=("0" * 64,)), emitter=EXCHANGE),
    ]
    dump = dump_of([*founding(), *status, opened(), reading(1)])
    reader = BundleReader(io.BytesIO(dump.bundle()))
    keys = [record.key for _, records in reader.tiles() for record in records]
    assert keys == [JURISDICTION.encode()] * len(founding()) + [str(CASE).encode()] * 2
    report = verify(io.BytesIO(dump.bundle()), trust())
    assert (report.conclusion, report.size, report.directory_entries) == (Conclusion.PROVEN, dump.size, len(founding()))


def test_only_the_status_may_be_redacted() -> None:
    """A capability is one of the words that judging never reads; a key is not."""
    capable = emitted(d.CapabilitiesPublished(reads=("referral.requested.v1",)), emitter="police")
    records = tuple(parsed(founded((capable, T0))))
    arguments = (records, GENESIS_HASH, Directory(JURISDICTION, GENERATION), RedactionReason.PERSONAL_DATA)
    assert dependent_offsets(frozenset({len(records) - 1}), *arguments) == ()
    with pytest.raises(DirectoryNotRedactable):
        dependent_offsets(frozenset({1}), *arguments)


def _tag_of(entry_point: EntryPoint) -> bytes:
    opening = c.CaseOpened(entry_point=entry_point, reporting_delay=ReportingDelay.UNKNOWN)
    return projected(founded((signed(event(opening, subject=OTHER_CASE)), T0))).rows[-1].entry.case_tag


def test_a_stub_without_a_redaction_on_the_record_is_tampering() -> None:
    """The coordinator records a redaction with offset, hash and reason; a stub without that event is no redaction."""
    dump = honest()
    last = dump.size - 1
    dump.records[last] = redacted(dump.records[last], RedactionReason.PERSONAL_DATA)
    assert verify(io.BytesIO(dump.bundle()), trust()).conclusion is Conclusion.TAMPERED
