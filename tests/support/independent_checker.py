"""Check of a case bundle, written from docs/proof.md alone, with the standard library and one library for Ed25519.

``python independent_checker.py BUNDLE TRUST_FILE`` prints the number of checked events, or the first fault.
"""

import base64
import hashlib
import json
import re
import struct
import sys
import tarfile
from pathlib import Path
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

EVENT, POSSESSION = b"application/vnd.handoff.event+json; v=1", b"application/vnd.handoff.key-possession; v=1"
STUB = re.compile(rb'\{"redacted":\{"value_sha256":"([0-9a-f]{64})","reason":"(personal_data|court_order)"\}\}')
GRACE_MS, MOST_KEYS = 24 * 3_600_000, 4


def require(holds: object, fault: str) -> None:
    if not holds:
        raise SystemExit(f"fault: {fault}")


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def lp(value: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else struct.pack(">I", len(value)) + value


def binary(text: str | None) -> bytes | None:
    return None if text is None else base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        return bool(VerifyKey(key).verify(message, signature))
    except (BadSignatureError, ValueError):
        return False


def pae(kind: bytes, body: bytes) -> bytes:
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\x01", root(leaves[:half]), root(leaves[half:]))


def check_checkpoint(note: str, trust: str, leaves: list[bytes]) -> str:
    """Check the log's signature on the checkpoint, and the root over all leaves. Return the genesis hash."""
    text, _, signatures = note.partition("\n\n")
    origin, size, encoded = text.split("\n")
    ends = {key: int(at) for at, key in re.findall(r"^# handoff: until (\d+) (\S+)$", trust, re.MULTILINE)}
    logs = [line.split("+", 2) for line in re.findall(r"^log (\S+)$", trust, re.MULTILINE)]
    keys = {key_hash: base64.b64decode(material) for name, key_hash, material in logs if name == origin}
    require(keys and all(key[:1] == b"\x01" for key in keys.values()), "the trust file has no key of this log")
    in_force = {k: key[1:] for k, key in keys.items() if int(size) <= ends.get(f"{origin}+{k}", 2**63)}
    lines = (line.split(" ")[2] for line in signatures.splitlines() if line.startswith(f"— {origin} "))
    signed = [(found[:4].hex(), found[4:]) for found in map(base64.b64decode, lines)]
    checked = [is_signed(in_force[k], f"{text}\n".encode(), found) for k, found in signed if k in in_force]
    require(checked and all(checked), "the log did not sign the checkpoint")
    require((int(size), base64.b64decode(encoded)) == (len(leaves), root(leaves)), "the entries have another root")
    genesis = rf"^# handoff: genesis {re.escape(origin)} ([0-9a-f]{{64}})$"
    return str(re.findall(genesis, trust, re.MULTILINE)[0])


class Directory:
    """Members and keys in force, folded from the directory's events, and the coordinator's orders to redact."""

    def __init__(self, jurisdiction: str) -> None:
        self.jurisdiction = jurisdiction
        self.coordinator: str | None = None
        self.members: set[str] = set()
        self.keys: dict[str, dict[str, Any]] = {}
        self.orders: set[tuple[int, str, str]] = set()

    def add_key(self, owner: str, public_key: bytes) -> None:
        self.keys.setdefault(sha(b"\x01", public_key).hex(), {"owner": owner, "key": public_key, "until": 2**63})

    def take(self, event: dict[str, Any], emitter: str, at_ms: int, offset: int) -> None:
        kind, data, by_coordinator = event["type"], event["data"], emitter == self.coordinator
        if kind == "jurisdiction.founded.v1":
            self.coordinator, self.members = data["coordinator"], {data["coordinator"]}
            self.add_key(data["coordinator"], bytes.fromhex(data["coordinator_key"]))
            self.add_key("exchange", bytes.fromhex(data["exchange_key"]))
        elif kind == "agency.admitted.v1" and by_coordinator and data["member"] != "exchange":
            self.members.add(data["member"])
        elif kind == "key.registered.v1" and by_coordinator and data.get("use", "signing") == "signing":
            public_key, owner = bytes.fromhex(data["public_key"]), data["member"]
            in_force = [key for key in self.keys.values() if key["owner"] == owner and at_ms <= key["until"]]
            statement = f"{self.jurisdiction}\n{data['member']}\n{data['public_key']}\n".encode()
            is_held = is_signed(public_key, pae(POSSESSION, statement), bytes.fromhex(data["possession"]))
            if is_held and owner in self.members | {"exchange"} and len(in_force) < MOST_KEYS:
                self.add_key(owner, public_key)
        elif kind == "key.revoked.v1" and by_coordinator and data["key"] in self.keys:
            self.keys[data["key"]]["until"] = -1
        elif kind == "key.retired.v1" and data["key"] in self.keys:
            key = self.keys[data["key"]]
            if by_coordinator or key["owner"] == emitter:
                key["until"] = min(key["until"], at_ms + GRACE_MS)
        elif kind == "value.redacted.v1" and by_coordinator and data["offset"] < offset:
            self.orders.add((data["offset"], data["value_hash"], data["reason"]))


def check_record(
    record: dict[str, Any], record_hash: bytes, directory: Directory, genesis: str, at_ms: int
) -> tuple[int, str, str] | None:
    """Check one record against its entry, its signature and the directory. Return what it redacts, if it is a stub."""
    key, value = binary(record["key"]), binary(record["value"]) or b""
    headers = [(name.encode(), binary(header)) for name, header in record["headers"]]
    offset, stub = record["offset"], STUB.fullmatch(value)
    value_hash = bytes.fromhex(stub[1].decode()) if stub else sha(value)
    packed = struct.pack(">I", len(headers)) + b"".join(lp(name) + lp(header) for name, header in headers)
    expected = sha(b"handoff/record/v1\n", lp(key), value_hash, sha(packed))
    require(expected == record_hash, f"offset {offset}: key, value or headers differ from the entry")
    if stub:
        return offset, stub[1].decode(), stub[2].decode()
    event, header = json.loads(value), dict(headers)
    jurisdiction, _, emitter = event["source"].strip("/").split("/")
    is_about = key == event["subject"].encode() and jurisdiction == directory.jurisdiction
    require(is_about, f"offset {offset}: the event is about something else")
    if directory.coordinator is None:
        require(sha(value).hex() == genesis, f"offset {offset}: the record does not begin with the genesis")
    else:
        none = {"owner": None, "key": b"", "until": -1}
        signer = directory.keys.get((header.get(b"key-id") or b"").decode(), none)
        in_force = signer["owner"] == emitter and at_ms <= signer["until"]
        require(in_force, f"offset {offset}: no key in force of {emitter} signed the event")
        signature = header.get(b"signature") or b""
        require(is_signed(signer["key"], pae(EVENT, value), signature), f"offset {offset}: the signature is wrong")
    directory.take(event, emitter, at_ms, offset)
    return None


def check(bundle: str, trust: str) -> int:
    """Return the number of records whose origin is proven. Exits at the first fault."""
    with tarfile.open(bundle) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        members = {name: file.read() for name, file in files.items() if file is not None}
    manifest = json.loads(members["bundle.json"])
    tiles = b"".join(content for name, content in members.items() if name.startswith("tile/entries/"))
    # Each entry has 141 bytes after its length in two.
    entries = [tiles[at + 2 : at + 143] for at in range(0, len(tiles), 143)]
    genesis = check_checkpoint(members["checkpoint"].decode(), trust, [sha(b"\x00", entry) for entry in entries])
    fields = [struct.unpack(">17sIQQ32s32sQ32s", entry) for entry in entries]
    jurisdiction = manifest["origin"].split("/")[1]
    directory, stubs = Directory(jurisdiction), set()
    found: list[dict[str, Any]] = [
        json.loads(content) for name, content in members.items() if name.startswith("record/")
    ]
    records = {record["offset"]: record for record in found}
    case_tag = sha(b"handoff/tag/v2\n", bytes.fromhex(manifest["salt"]), manifest["case"].encode())
    directory_tag = sha(b"handoff/tag/v2\n", bytes.fromhex(genesis), jurisdiction.encode())
    at_ms = 0
    for offset, entry in enumerate(fields):
        at_ms = max(at_ms, entry[3])
        if entry[5] in (case_tag, directory_tag):
            require(offset in records, f"offset {offset}: the record is withheld")
            stubs.add(check_record(records[offset], entry[4], directory, genesis, at_ms))
    redacted = {stub for stub in stubs if stub is not None}
    require(redacted <= directory.orders, f"no order of the coordinator: {sorted(redacted - directory.orders)}")
    return len(records) - len(redacted)


if __name__ == "__main__":
    sys.stdout.write(f"{check(sys.argv[1], Path(sys.argv[2]).read_text(encoding='utf-8'))} events checked\n")
