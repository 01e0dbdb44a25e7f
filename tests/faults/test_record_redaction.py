"""An incident: what must not be on the record is taken out of it and of everything that was made from it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff import clock
from handoff.proof.log.entry import record_hash
from handoff.record.codes import RedactionReason
from handoff.record.redaction import Redaction
from tests.support.parts.restartable_trial import RestartableTrial, restartable_trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

_WHY = RedactionReason.PERSONAL_DATA
# The broker's own threads look for deleted segments once a minute.
_GONE_SECONDS = 180


@pytest.fixture
def kept() -> Iterator[RestartableTrial]:
    with restartable_trial() as trial:
        yield trial


def files_with(words: bytes, *directories: Path) -> list[str]:
    """Every file that holds ``words``."""
    files = (path for directory in directories for path in directory.rglob("*") if path.is_file())
    return [str(path) for path in files if words in _content(path)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_a_value_is_gone_from_everywhere_and_the_proof_still_holds(kept: RestartableTrial) -> None:
    kept.start()
    case, _ = kept.ask_shelter()
    person = str(clock.new_id())
    kept.send("police", f"/cases/{case}/links", {"other_case": person})
    other_case, other = kept.ask_shelter()
    path = f"/cases/{other_case}/referrals/{other}"
    kept.until_shown("shelter", path, state="requested")
    kept.send("shelter", f"{path}/rejection", {"code": "outside_mandate"})
    kept.until_shown("police", path, state="rejected")
    kept.until_settled()
    before = kept.record()
    frontier = (kept.query("projection", "timeline_frontier"))[0][0]
    (offset,) = [entry.offset for entry in before if person.encode() in (entry.message.value or b"")]
    (refused,) = [entry.offset for entry in before if b"referral.rejected" in (entry.message.value or b"")]
    refusal = before[refused].message.value or b""
    assert files_with(person.encode(), kept.directory), "what is to be searched for can be found"
    code, output = kept.run("record", "redact", str(offset), "--reason", "personal_data")
    assert (code, "the coordinator has to order" in " ".join(output.split())) == (1, True), output
    kept.order_redaction(offset, refused)
    before = kept.record()
    frontier = (kept.query("projection", "timeline_frontier"))[0][0]
    code, output = kept.run("record", "redact", str(offset), "--reason", "personal_data")
    assert (code, "stop every service" in " ".join(output.split())) == (1, True), output
    kept.stop()

    with kept.stack_alone():
        code, output = kept.run("record", "redact", str(offset), str(refused), "--reason", "personal_data")
        assert code == 0, output
        assert kept.run("record", "redact", str(offset), "--reason", "personal_data")[0] == 0, "again changes nothing"

    kept.start()
    kept.until_settled()
    after = kept.record()
    assert [(e.offset, e.appended_ms, e.message.key, e.message.headers) for e in after[: len(before)]] == [
        (e.offset, e.appended_ms, e.message.key, e.message.headers) for e in before
    ]
    hashes = [[record_hash(e.message.key, e.message.value, e.message.headers) for e in r] for r in (before, after)]
    assert hashes[1][: len(before)] == hashes[0]
    assert after[offset].message.value == Redaction.of(before[offset].message.value or b"", _WHY).stub
    assert (kept.query("projection", "timeline_frontier"))[0][0] == frontier
    _everyone_agrees(kept, other_case, other)
    _is_gone(kept, person.encode(), refusal)

    kept.send("shelter", f"{path}/acceptance")
    kept.until_shown("police", path, state="accepted")
    kept.until_settled()
    assert kept.run("projection", "rebuild")[0] == 0


def _everyone_agrees(kept: RestartableTrial, case: str, referral: str) -> None:
    """The referral whose refusal was taken out waits again, for exchange, projection and both sides."""
    exchange = kept.query("exchange", "exchange_case_states")
    assert exchange == kept.query("projection", "timeline_case_states")
    for member in ("police", "shelter"):
        kept.until_shown(member, f"/cases/{case}/referrals/{referral}", state="requested")
    for member, entries in (("shelter", 1), ("police", 2)):
        assert len(kept.query(member, "redacted_inbox_entries")) == entries
    shown = kept.query("projection", "redacted_timeline_entries")
    assert [tuple(row) for row in shown] == [("invalid", None)] * 2


def _is_gone(kept: RestartableTrial, *words: bytes) -> None:
    """No file of the broker, the database or the trial holds any of ``words``."""
    places = (kept.directory, kept.running.stack.postgres.directory)
    began, found = time.monotonic(), [""]
    while found and time.monotonic() - began < _GONE_SECONDS:
        found = [file for word in words for file in files_with(word, *places)]
        time.sleep(2)
    assert found == []


def test_an_entry_with_dependent_verdicts_is_not_redacted_alone(kept: RestartableTrial) -> None:
    kept.start()
    case, referral = kept.ask_shelter()
    kept.until_shown("shelter", f"/cases/{case}/referrals/{referral}", state="requested")
    kept.until_settled()
    record = kept.record()
    (request,) = [e.offset for e in record if b"referral.requested" in (e.message.value or b"")]
    kept.stop()
    with kept.stack_alone():
        code, output = kept.run("record", "redact", str(request), "--reason", "court_order")
        assert (code, "depend on it" in " ".join(output.split())) == (1, True), output
        code, output = kept.run("record", "redact", "0", "--reason", "court_order")
        assert (code, "directory" in output) == (1, True), output
    kept.start()
    assert kept.record() == record
