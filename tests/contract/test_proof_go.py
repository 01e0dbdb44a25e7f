"""Go's sumdb libraries and transparency-dev's formats agree with Handoff on its proofs.

If Go is present, the program in ``tests/support/go_verifier`` is built and run. Its answers are committed too,
so that without Go, or without its libraries, the same statements are compared with the committed answers.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from handoff.proof.log import tree_proofs
from handoff.proof.log.checkpoint import TreeHead, cosigned_at, cosigner_key, log_key, open_checkpoint
from handoff.proof.log.entry import LogEntry, case_tag, leaf_hash
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import NotProven, verify_consistency, verify_inclusion
from handoff.proof.log.note import InvalidSignature, MalformedNote, NoteKey, decode_base64, encode_base64
from handoff.proof.log.tiles import TILE_WIDTH
from handoff.proof.verify.bundle import BundleReader
from tests.support.dsl.builders import JURISDICTION
from tests.support.parts.proof_record import LOG, ORIGIN, checkpoint, honest, witness_key

PROGRAM = Path(__file__).parents[1] / "support" / "go_verifier"
ANSWERS = PROGRAM / "answers.json"
MONITOR = cosigner_key(JURISDICTION, "monitor", witness_key("monitor").public_key)
DUMP = honest(others=600)
CASE_BEGINS = 7
ENTRIES = [entry.pack() for entry in DUMP.entries]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIZES = ((1, 1), (1, 2), (5, 8), (7, 7), (8, 100), (255, 255), (100, 255))


class Statement(BaseModel):
    """Statement that ``entry`` is at ``index`` under the checkpoint ``new``, which extends ``old``."""

    model_config = ConfigDict(frozen=True)

    origin: str = str(ORIGIN)
    log_key: str = str(log_key(ORIGIN, LOG.public_key))
    cosigner_key: str = str(MONITOR)
    old: str
    new: str
    index: int
    entry: str
    key: str = ""
    first: str = ""
    inclusion: tuple[str, ...]
    consistency: tuple[str, ...]


def signed(size: int) -> str:
    return str(checkpoint(TreeHead(size, Frontier().extended(LEAVES[:size])[0].root), cosigners=("monitor",)))


def node(level: int, index: int) -> bytes:
    return Frontier().extended(LEAVES[index << level : (index + 1) << level])[0].root


def statement(old: int, new: int) -> Statement:
    index = new // 2
    return Statement(
        old=signed(old),
        new=signed(new),
        index=index,
        entry=encode_base64(ENTRIES[index]),
        inclusion=tuple(map(encode_base64, tree_proofs.build_proof(tree_proofs.inclusion_path(index, new), node))),
        consistency=tuple(map(encode_base64, tree_proofs.build_proof(tree_proofs.consistency_path(old, new), node))),
    )


def bundled() -> dict[str, Statement]:
    """Return a statement for each record of a bundle, under the bundle's checkpoint.

    The bundle that is written out of a database is this one to the byte: ``test_bundle_written``.
    """
    reader = BundleReader(io.BytesIO(DUMP.bundle()))
    reported = {}
    firsts: dict[bytes, bytes] = {}
    for tile, records in reader.tiles():
        for record in records:
            reported[f"offset {record.offset} of a bundle"] = statement(8, DUMP.size).model_copy(
                update={
                    "new": reader.checkpoint.decode(),
                    "index": record.offset,
                    "entry": encode_base64(tile[record.offset % TILE_WIDTH]),
                    "key": encode_base64(record.key or b""),
                    "first": encode_base64(firsts.setdefault(record.key or b"", record.value or b"")),
                    "inclusion": tuple(map(encode_base64, record.proof)),
                }
            )
    return reported


def untagged() -> Statement:
    """An entry under the first value of another case."""
    tagged = next(one for name, one in bundled().items() if name.startswith(f"offset {CASE_BEGINS} "))
    return tagged.model_copy(update={"first": encode_base64(DUMP.records[CASE_BEGINS + 1].value or b"")})


def honest_ones() -> dict[str, Statement]:
    return {f"{old} to {new}": statement(old, new) for old, new in SIZES} | bundled()


def statements() -> dict[str, Statement]:
    """Honest ones, and one of them with a bit of each of its parts flipped."""
    reported = statement(8, 100)
    text, log, monitor = reported.new.partition("\n\n")[0], *reported.new.partition("\n\n")[2].splitlines()
    return honest_ones() | {
        "another size": reported.model_copy(update={"new": reported.new.replace("\n100\n", "\n101\n")}),
        "a flipped root": reported.model_copy(update={"new": reported.new.replace(text[-44:], flipped(text[-44:]))}),
        "a flipped signature": reported.model_copy(update={"new": flipped_line(reported.new, log)}),
        "a flipped cosignature": reported.model_copy(update={"new": flipped_line(reported.new, monitor)}),
        "no cosignature": reported.model_copy(update={"new": reported.new.replace(monitor + "\n", "")}),
        "a flipped old head": reported.model_copy(update={"old": reported.old.replace("\n8\n", "\n9\n")}),
        "a flipped entry": reported.model_copy(update={"entry": flipped(reported.entry)}),
        "another index": reported.model_copy(update={"index": reported.index - 1}),
        "a flipped inclusion": reported.model_copy(
            update={"inclusion": (flipped(reported.inclusion[0]), *reported.inclusion[1:])}
        ),
        "a short inclusion": reported.model_copy(update={"inclusion": reported.inclusion[:-1]}),
        "a flipped consistency": reported.model_copy(update={"consistency": flipped_last(reported.consistency)}),
        "a short consistency": reported.model_copy(update={"consistency": reported.consistency[:-1]}),
        "another first value": untagged(),
        "another history": reported.model_copy(update={"old": signed(9)}),
    }


def flipped(encoded: str) -> str:
    raw = bytearray(decode_base64(encoded))
    raw[20] ^= 1
    return encode_base64(bytes(raw))


def flipped_last(encoded: tuple[str, ...]) -> tuple[str, ...]:
    return (*encoded[:-1], flipped(encoded[-1]))


def flipped_line(note: str, line: str) -> str:
    start, _, signature = line.rpartition(" ")
    return note.replace(line, f"{start} {flipped(signature)}")


def decided_here(printed: Statement) -> str:
    """Return Handoff's findings, or the time at which the head was cosigned."""
    key = NoteKey.parse(printed.log_key)
    try:
        old, new = (open_checkpoint(note.encode(), key) for note in (printed.old, printed.new))
    except (MalformedNote, InvalidSignature):
        return "checkpoint"
    try:
        at = cosigned_at(new.note, NoteKey.parse(printed.cosigner_key))
    except InvalidSignature:
        at = None
    if at is None:
        return "cosignature"
    if printed.first:
        salt = hashlib.sha256(decode_base64(printed.first)).digest()
        if LogEntry.unpack(decode_base64(printed.entry)).case_tag != case_tag(decode_base64(printed.key), salt):
            return "tag"
    try:
        leaf, proof = leaf_hash(decode_base64(printed.entry)), tuple(map(decode_base64, printed.inclusion))
        verify_inclusion(printed.index, new.head.size, leaf, proof, new.head.root)
    except NotProven:
        return "inclusion"
    try:
        proof = tuple(map(decode_base64, printed.consistency))
        verify_consistency(old.head.size, new.head.size, old.head.root, proof, new.head.root)
    except NotProven:
        return "consistency"
    return f"good at {int(at.timestamp())}"


def go(*arguments: str, printed: str = "", within: float = 240) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    return subprocess.run(
        arguments,
        cwd=PROGRAM,
        env=environment,
        input=printed,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def committed() -> dict[str, str]:
    answers: dict[str, str] = json.loads(ANSWERS.read_text(encoding="utf-8"))
    return answers


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return Go's answers to the statements: computed now if Go is present, else the committed ones."""
    can_build = shutil.which("go") is not None and go("go", "mod", "download").returncode == 0
    if not can_build:
        return committed()
    program = tmp_path_factory.mktemp("go") / "verifier"
    built = go("go", "build", "-o", str(program), ".")
    assert built.returncode == 0, built.stderr
    asked = go(str(program), printed=json.dumps({name: printed.model_dump() for name, printed in statements().items()}))
    assert asked.returncode == 0, asked.stderr
    reported: dict[str, str] = json.loads(asked.stdout)
    return reported


# Go's own cache is empty on a new machine, and its standard library is then compiled first.
@pytest.mark.timeout(300)
def test_go_decides_as_handoff_does(answers: dict[str, str]) -> None:
    assert answers == {name: decided_here(printed) for name, printed in statements().items()}


@pytest.mark.timeout(300)
def test_the_committed_answers_are_those_that_go_gives(answers: dict[str, str]) -> None:
    assert committed() == answers


def test_every_honest_statement_is_good_and_every_other_is_refused() -> None:
    reported = committed()
    assert {name for name, answer in reported.items() if answer.startswith("good")} == honest_ones().keys()
    assert len(bundled()) == 12
    assert set(reported.values()) >= {"checkpoint", "cosignature", "tag", "inclusion", "consistency"}
