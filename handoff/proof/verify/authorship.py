"""Check of authorship: signature, key in force and sender of each record, by the rules of exchange and projection."""

from dataclasses import dataclass, field
from typing import Any

from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.bundle import BundleRecord
from handoff.proof.verify.keyring import Keyring
from handoff.proof.verify.report import Check, Conclusion, VerificationFinding
from handoff.record import codec, signing
from handoff.record.envelope import Event, Identity, Source
from handoff.record.errors import NotAnEvent, UnknownEventType
from handoff.record.events.directory import JurisdictionFounded, ValueRedacted
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER
from handoff.record.redaction import Redaction


class AuthorshipRejected(Exception):
    """A record that is not authentically its sender's."""

    def __init__(self, check: Check, sentence: str, conclusion: Conclusion = Conclusion.TAMPERED) -> None:
        super().__init__(sentence)
        self.finding = VerificationFinding(check, sentence, conclusion)


@dataclass(slots=True)
class AuthorshipCheck:
    """Keys in force and first occurrences of events, updated as records are read in the record's order."""

    origin: Origin
    genesis_hash: str
    keyring: Keyring
    first: dict[Identity, tuple[int, str]] = field(default_factory=dict)
    redactions: set[tuple[int, Redaction]] = field(default_factory=set)
    """Values that the coordinator ordered to redact: offset and stub."""

    def check(self, record: BundleRecord, at_ms: int) -> str | None:
        """Check ``record`` at record time ``at_ms`` and apply it. Return a remark if it repeats an earlier record.

        Raises ``AuthorshipRejected``; the record then has no effect on later checks.
        """
        event = _event(record)
        self._check_author(record, event, at_ms)
        value_hash = signing.sha256(record.value or b"")
        offset, first_hash = self.first.setdefault(event.identity, (record.offset, value_hash))
        if offset != record.offset:
            how = "repeats" if first_hash == value_hash else f"contradicts, under the same id of {event.emitter},"
            return f"offset {record.offset} {how} offset {offset} and is ignored"
        self.keyring = self.keyring.apply(event, at_ms)
        order = event.data
        if isinstance(order, ValueRedacted) and event.emitter == self.keyring.coordinator and order.offset < offset:
            self.redactions.add((order.offset, Redaction(order.value_hash, order.reason)))
        return None

    def _check_author(self, record: BundleRecord, event: Event[Any], at_ms: int) -> None:
        source = Source.parse(event.source)
        if (source.jurisdiction, source.generation) != (self.origin.jurisdiction, self.origin.generation):
            raise AuthorshipRejected(Check.SIGNATURE, f"its source belongs to another record: {event.source}")
        if record.key != event.subject.encode():
            raise AuthorshipRejected(Check.SIGNATURE, "its subject differs from its Kafka key")
        is_founding = isinstance(event.data, JurisdictionFounded)
        if is_founding and signing.sha256(record.value or b"") == self.genesis_hash:
            return
        if is_founding or not self.keyring.founded:
            raise AuthorshipRejected(
                Check.GENESIS, "the record does not begin with the event that the trust file names"
            )
        self._check_signature(record, source.member, at_ms)

    def _check_signature(self, record: BundleRecord, member: str, at_ms: int) -> None:
        hint, signature = _only(record, KEY_ID_HEADER), _only(record, SIGNATURE_HEADER)
        if hint is None or signature is None:
            raise AuthorshipRejected(Check.SIGNATURE, "it is not signed")
        key = self.keyring.keys.get(hint.decode("ascii", "replace"))
        if key is None:
            raise AuthorshipRejected(Check.KEY, "its signing key was not registered before this offset")
        if not signing.verifies(key.public_key, record.value or b"", signature):
            raise AuthorshipRejected(Check.SIGNATURE, f"its signature does not verify under {key.owner}'s key")
        if (finding := key.finding(at_ms)) is not None:
            raise AuthorshipRejected(Check.KEY, f"{key.owner}'s key {finding}")
        if key.owner != member:
            raise AuthorshipRejected(Check.KEY, f"its source is {member}, but {key.owner} signed it")


def _event(record: BundleRecord) -> Event[Any]:
    if (redaction := Redaction.found(record.value)) is not None:
        sentence = f"its value was redacted ({redaction.reason}): content and signature cannot be checked"
        raise AuthorshipRejected(Check.REDACTED, sentence, Conclusion.NOT_PROVABLE)
    try:
        return codec.decode(record.value or b"")
    except UnknownEventType as error:
        sentence = f"this release cannot read {error.event_type}: verify with a newer one"
        raise AuthorshipRejected(Check.UNREADABLE, sentence, Conclusion.NOT_PROVABLE) from error
    except NotAnEvent as error:
        raise AuthorshipRejected(Check.CONTENT, f"its value is not an event ({error.code.value})") from error


def _only(record: BundleRecord, name: str) -> bytes | None:
    found = [value for header, value in record.headers if header == name]
    return found[0] if len(found) == 1 else None
