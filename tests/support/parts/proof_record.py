"""A small record of signed events with its tree, checkpoint and witnesses, and what a superuser could make of it."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from handoff.domain.founding import Charter, admission_events, founding_event
from handoff.proof.log import tiles, tree_proofs
from handoff.proof.log.checkpoint import Checkpoint, Origin, TreeHead, cosign, cosigner_key, log_key, sign_checkpoint
from handoff.proof.log.entry import LogEntry
from handoff.proof.log.frontier import Frontier
from handoff.proof.log.merkle import HASH_BYTES
from handoff.proof.log.note import Note
from handoff.proof.log.receipt import Receipt, sign_receipt
from handoff.proof.log.tag_chains import TagChains
from handoff.proof.verify.bundle import BundleRecord, BundleWriter, Manifest, bundle_strands
from handoff.proof.verify.trust import TrustedLog, TrustPolicy, write_trust
from handoff.record import signing
from handoff.record.codec import encode
from handoff.record.codes import EntryPoint, MemberKind, ReadPurpose, ReportingDelay
from handoff.record.delivery import EFFECTIVE, to_ms
from handoff.record.envelope import Identity
from handoff.record.events import Body
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.kafka_record import KafkaRecord
from handoff.record.message import Message, sign
from handoff.record.redaction import original_hash
from tests.support.dsl.builders import CASE, GENERATION, JURISDICTION, OTHER_CASE, T0, event, key_of, nth_id, signed

ORIGIN = Origin(JURISDICTION, GENERATION)
LOG = key_of("the projection")
COORDINATOR = "coordination"
AGENCIES = ("police", "shelter", "csw")
COSIGNED_AT = T0 + timedelta(days=1)


@dataclass(frozen=True)
class Appended:
    """A message where the record holds it."""

    offset: int
    appended_ms: int
    message: Message


@dataclass
class Dump:
    """All that a superuser of the projection could lay hands on: entries, their records, checkpoint and receipts."""

    entries: list[LogEntry]
    records: dict[int, Message]
    checkpoint: Note
    receipts: list[bytes] = field(default_factory=list)
    case: str = str(CASE)
    salt: str = "0" * 64
    genesis: str | None = None

    @property
    def size(self) -> int:
        return len(self.entries)

    def about(self, case: object) -> "Dump":
        """The same for the bundle of another case, with the salt of that case's tag."""
        firsts = (
            self.records[e.offset].value for e in self.entries if self.records[e.offset].key == str(case).encode()
        )
        return replace(self, case=str(case), salt=original_hash(next(firsts, None)).hex())

    def relinked(self) -> "Dump":
        """Return a copy with all hashes recomputed, as a careful attacker would write it."""
        appended = [Appended(e.offset, e.appended_ms, self.records[e.offset]) for e in self.entries]
        return replace(self, entries=entries_of(appended))

    def checkpointed(self, *, cosigners: Sequence[str] = ("monitor", *AGENCIES), at: datetime = COSIGNED_AT) -> "Dump":
        """The same with a checkpoint of its own, as if log and cosigners had signed it."""
        head = TreeHead(self.size, tree(self.entries).root)
        return replace(self, checkpoint=checkpoint(head, cosigners=cosigners, at=at))

    def bundle(self) -> bytes:
        """The case's bundle of what is here, with proofs from the tree that the entries give."""
        genesis = self.genesis or genesis_hash()
        out = io.BytesIO()
        manifest = Manifest(origin=str(ORIGIN), case=self.case, salt=self.salt)
        writer = BundleWriter(out, manifest, str(self.checkpoint).encode(), self.receipts)
        wanted = {strand.tag for strand in bundle_strands(manifest, JURISDICTION, genesis)}
        prove = prover([entry.leaf_hash() for entry in self.entries])
        for index, entry in enumerate(self.entries):
            message = self.records.get(entry.offset)
            held = message is not None and entry.case_tag in wanted
            writer.add(entry.pack(), record_of(entry.offset, message, prove(index)) if held and message else None)
        writer.close()
        return out.getvalue()


def tree(entries: Iterable[LogEntry]) -> Frontier:
    return Frontier().extended(entry.leaf_hash() for entry in entries)[0]


def prover(leaves: Sequence[bytes]) -> Callable[[int], tuple[bytes, ...]]:
    """Index → inclusion proof among ``leaves``."""
    _, finished = Frontier().extended(leaves)
    rows = [b"".join(leaves)]
    rows += [b"".join(node.hash for node in finished if node.level == level) for level in (8, 16, 24)]
    width = tiles.TILE_WIDTH * HASH_BYTES
    read = tiles.node_reader(lambda level, number: rows[level][number * width : (number + 1) * width])
    return lambda index: tree_proofs.build_proof(tree_proofs.inclusion_path(index, len(leaves)), read)


def record_of(offset: int, message: Message, proof: tuple[bytes, ...]) -> BundleRecord:
    return BundleRecord(offset=offset, key=message.key, headers=message.headers, value=message.value, proof=proof)


def entries_of(appended: Iterable[Appended]) -> list[LogEntry]:
    """The entries of a record, chained per key as the projection chains them."""
    chains = TagChains()
    return [chains.append(KafkaRecord(one.offset, one.appended_ms, one.message))[0] for one in appended]


def witness_key(name: str) -> signing.SigningKey:
    return key_of(f"{name} as a witness")


def checkpoint(
    head: TreeHead, *, cosigners: Sequence[str] = ("monitor", *AGENCIES), at: datetime = COSIGNED_AT, log: Any = LOG
) -> Note:
    """A checkpoint as log and cosigners sign it."""
    note = sign_checkpoint(Checkpoint(ORIGIN, head), log)
    return note.signed(
        *(cosign(note, cosigner_key(JURISDICTION, n, witness_key(n).public_key), witness_key(n), at) for n in cosigners)
    )


def receipt(dump: Dump, offset: int, size: int | None = None) -> bytes:
    """Return the log's receipt for the entry at ``offset``."""
    return signed_receipt(dump.entries[offset].record_hash, dump.size if size is None else size).encode()


def signed_receipt(record_hash: bytes, size: int) -> str:
    """Return the log's receipt for a record hash. The verifier looks at nothing else in it."""
    event = Identity(str(CASE), f"/{JURISDICTION}/{GENERATION}/police", nth_id(1))
    return str(sign_receipt(Receipt(ORIGIN, size, record_hash, event, 1, EFFECTIVE), LOG))


def founding() -> list[Message]:
    """Return the first events of the jurisdiction: its founding, three agencies and their keys."""
    charter = Charter(JURISDICTION, GENERATION, COORDINATOR, ())
    first = encode(founding_event(charter, key_of(COORDINATOR), key_of("exchange"), T0))
    members = [(d.Admission(member=name, kind=MemberKind.AGENCY), key_of(name)) for name in AGENCIES]
    admitted = admission_events(charter, members, T0)
    coordinator = key_of(COORDINATOR)
    return [sign(JURISDICTION, first, coordinator), *(sign(JURISDICTION, encode(e), coordinator) for e in admitted)]


def emitted(body: Body, **about: Any) -> Message:
    """``body`` as its emitter signs it."""
    return signed(event(body, **about))


def opened(case: Any = CASE) -> Message:
    body = c.CaseOpened(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY, offered=())
    return emitted(body, subject=case)


def reading(number: int, emitter: str = "police", case: Any = CASE, key: Any = None) -> Message:
    """One of any number of events of a case."""
    body = c.CaseRead(reader=nth_id(number), purpose=ReadPurpose.AUDIT)
    return signed(event(body, emitter=emitter, subject=case), key)


def dump_of(messages: Sequence[Message], step_ms: int = 1000) -> Dump:
    """The record of ``messages``, appended one each ``step_ms``, checkpointed and cosigned by all."""
    start = to_ms(T0)
    appended = [Appended(offset, start + offset * step_ms, message) for offset, message in enumerate(messages)]
    entries = entries_of(appended)
    dump = Dump(entries, {a.offset: a.message for a in appended}, Note("\n")).about(CASE)
    return dump.checkpointed()


@cache
def _honest(others: int) -> Dump:
    messages = [*founding(), opened(), opened(OTHER_CASE)]
    messages += [reading(n, AGENCIES[n % 3], CASE if n % 3 else OTHER_CASE) for n in range(5)]
    messages += [reading(100, case=OTHER_CASE)] * others
    return dump_of([*messages, reading(99, "csw")])


def honest(others: int = 0) -> Dump:
    """An honest record with two cases, and ``others`` more entries of the second."""
    kept = _honest(others)
    return replace(kept, entries=list(kept.entries), records=dict(kept.records), receipts=[])


def genesis_hash() -> str:
    return signing.sha256(founding()[0].value or b"")


def trust_text(threshold: int = 2, genesis: str | None = None) -> str:
    log = TrustedLog(log_key(ORIGIN, LOG.public_key), genesis or genesis_hash())
    keys = {name: cosigner_key(JURISDICTION, name, witness_key(name).public_key) for name in ("monitor", *AGENCIES)}
    return write_trust([log], keys.pop("monitor"), keys.values(), threshold)


def trust(threshold: int = 2, genesis: str | None = None) -> TrustPolicy:
    """An auditor's trust: the log, the monitor and ``threshold`` of three agencies."""
    return TrustPolicy.parse(trust_text(threshold, genesis).encode())
