"""A checker that is written from docs/proof.md alone agrees with the verifier, so that the page is complete."""

import ast
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from handoff.proof.log.checkpoint import log_key
from handoff.proof.verify.report import Conclusion
from handoff.proof.verify.trust import TrustPolicy
from handoff.proof.verify.verifier import verify
from handoff.record import formats
from handoff.record.codes import KeyUse, RedactionReason
from handoff.record.events import directory as d
from handoff.record.message import Message
from handoff.record.signing import key_id, possession_statement
from handoff.views.redaction_effects import redacted
from tests.support.dsl.builders import JURISDICTION, event, key_of, nth_id, signed
from tests.support.parts.proof_record import (
    COORDINATOR,
    LOG,
    ORIGIN,
    Dump,
    dump_of,
    founding,
    honest,
    opened,
    reading,
    trust,
    trust_text,
)
from tests.unit.record.test_redaction import LAST, ordered

CHECKER = Path(__file__).parents[1] / "support" / "independent_checker.py"


def _checked(dump: Dump, directory: Path, trusted: str | None = None) -> tuple[int, str]:
    bundle, trust_file = directory / "case.bundle", directory / "trust.policy"
    bundle.write_bytes(dump.bundle())
    trust_file.write_text(trusted or trust_text(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", CHECKER, bundle, trust_file], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _registered(member: str, name: str, by: str, use: KeyUse = KeyUse.SIGNING, number: int = 0) -> Message:
    key = key_of(name)
    proof = key.sign(possession_statement(JURISDICTION, member, key.public_key), formats.KEY_POSSESSION)
    body = d.KeyRegistered(member=member, use=use, public_key=key.public_key.hex(), possession=proof.hex())
    return signed(event(body, emitter=by, subject=JURISDICTION, id=nth_id(600 + number)))


def _revoked(name: str, by: str = COORDINATOR) -> Message:
    body = d.KeyRevoked(key=key_id(key_of(name).public_key))
    return signed(event(body, emitter=by, subject=JURISDICTION, id=nth_id(699)))


def _dump(*messages: Message) -> Dump:
    return dump_of([*founding(), opened(), *messages])


def _altered(change: Callable[[Message], Message], offset: int = LAST) -> Dump:
    dump = honest()
    dump.records[offset] = change(dump.records[offset])
    return dump


def _stubbed(dump: Dump) -> Dump:
    dump.records[LAST] = redacted(dump.records[LAST], RedactionReason.PERSONAL_DATA)
    return dump


def _without_record() -> Dump:
    dump = honest()
    del dump.records[LAST]
    return dump


def _forged(message: Message) -> Message:
    headers = tuple((name, bytes(64) if name == "signature" else value) for name, value in message.headers)
    return Message(message.key, message.value, headers)


SOUND: dict[str, Callable[[], Dump]] = {
    "honest": honest,
    "two tiles": lambda: honest(others=300),
    "a second key": lambda: _dump(_registered("police", "police 2", COORDINATOR), reading(1, key=key_of("police 2"))),
    "a revocation by an agency": lambda: _dump(_revoked("csw", by="police"), reading(1, "csw")),
    "a redaction": lambda: _stubbed(ordered(LAST)),
}
FAULTY: dict[str, Callable[[], Dump]] = {
    "another value": lambda: _altered(lambda m: Message(m.key, (m.value or b"") + b" ", m.headers)),
    "another header": lambda: _altered(lambda m: Message(m.key, m.value, (*m.headers, ("more", b"1")))),
    "a signature that does not verify": lambda: _dump(_forged(reading(1))),
    "another member's key": lambda: _dump(reading(1, "police", key=key_of("csw"))),
    "an unknown key": lambda: _dump(reading(1, key=key_of("nobody"))),
    "a key that its owner registered": lambda: _dump(
        _registered("police", "police 2", "police"), reading(1, key=key_of("police 2"))
    ),
    "a key beyond four": lambda: _dump(
        *(_registered("police", f"police {n}", COORDINATOR, number=n) for n in range(2, 6)),
        reading(1, key=key_of("police 5")),
    ),
    "a revoked key": lambda: _dump(_revoked("police"), reading(1)),
    "a key for encryption": lambda: _dump(
        _registered("police", "police 2", COORDINATOR, KeyUse.SEALING), reading(1, key=key_of("police 2"))
    ),
    "a withheld record": _without_record,
    "a stub without an order": lambda: _stubbed(honest()),
    "another founding event": lambda: _altered(lambda _: opened(), 0),
}


@pytest.mark.parametrize("made", SOUND.values(), ids=SOUND)
def test_a_sound_bundle_has_no_fault_for_both(made: Callable[[], Dump], tmp_path: Path) -> None:
    code, output = _checked(made(), tmp_path)
    assert (code, "events checked" in output) == (0, True), output
    assert verify(io.BytesIO(made().bundle()), trust()).conclusion is not Conclusion.TAMPERED


@pytest.mark.parametrize("made", FAULTY.values(), ids=FAULTY)
def test_a_fault_is_found_by_both(made: Callable[[], Dump], tmp_path: Path) -> None:
    code, output = _checked(made(), tmp_path)
    assert (code, "fault: " in output) == (1, True), output
    assert verify(io.BytesIO(made().bundle()), trust()).conclusion is Conclusion.TAMPERED


@pytest.mark.parametrize(("until", "fault"), [(0, 1), (10**6, 0)])
def test_a_replaced_key_of_the_log_counts_up_to_its_size_for_both(until: int, fault: int, tmp_path: Path) -> None:
    old, following = log_key(ORIGIN, LOG.public_key), log_key(ORIGIN, key_of("the next key of the log").public_key)
    lines = trust_text().replace(f"log {old}\n", f"log {old}\nlog {following}\n")
    text = f"{lines}# handoff: until {until} {old.short}\n"
    code, output = _checked(honest(), tmp_path, text)
    assert (code, "did not sign" in output) == (fault, bool(fault)), output
    conclusion = verify(io.BytesIO(honest().bundle()), TrustPolicy.parse(text.encode())).conclusion
    assert conclusion is (Conclusion.NOT_PROVABLE if fault else Conclusion.PROVEN)


def test_the_checker_uses_nothing_of_the_product() -> None:
    imported = set[str]()
    for node in ast.walk(ast.parse(CHECKER.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names == {"nacl"}
