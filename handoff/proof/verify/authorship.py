"""Whether each record is its sender's own word at its position, as exchange and projection decide it too."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from handoff.proof.log.checkpoint import Origin
from handoff.proof.verify.bundle import Record
from handoff.proof.verify.keyring import Keyring
from handoff.proof.verify.report import Check, Objection, Outcome
from handoff.record import codec, signing
from handoff.record.envelope import Event, Source
from handoff.record.errors import NotAnEvent, UnknownEventType
from handoff.record.events.directory import JurisdictionFounded
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER
from handoff.record.redaction import Redaction


class Disowned(Exception):
    """A record that its sender does not answer for."""

    def __init__(self, check: Check, sentence: str, outcome: Outcome = Outcome.TAMPERED) -> None:
        super().__init__(sentence)
        self.objection = Objection(check, sentence, outcome)


@dataclass(slots=True)
class Authors:
    """The keys in force and the events already said, as records are read in the record's order."""

    origin: Origin
    genesis_hash: str
    keyring: Keyring
    first: dict[tuple[str, UUID], tuple[int, str]] = field(default_factory=dict)

    def hear(self, record: Record, at_ms: int) -> str | None:
        """Takes ``record`` in at record time ``at_ms``; gives a remark where it repeats another.

        Raises ``Disowned``; then nothing follows from the record.
        """
        event = _event(record)
        self._check_author(record, event, at_ms)
        value_hash = signing.sha256(record.value or b"")
        offset, first_hash = self.first.setdefault((event.subject, event.id), (record.offset, value_hash))
        if offset != record.offset:
            how = "repeats" if first_hash == value_hash else "contradicts, under the same id,"
            return f"offset {record.offset} {how} offset {offset} and counts for nothing"
        self.keyring = self.keyring.told(event, at_ms)
        return None

    def _check_author(self, record: Record, event: Event[Any], at_ms: int) -> None:
        source = Source.parse(event.source)
        if (source.jurisdiction, source.generation) != (self.origin.jurisdiction, self.origin.generation):
            raise Disowned(Check.SIGNATURE, f"it was said for another record, {event.source}")
        if record.key != event.subject.encode():
            raise Disowned(Check.SIGNATURE, "it was said about something else than its key")
        is_founding = isinstance(event.data, JurisdictionFounded)
        if is_founding and signing.sha256(record.value or b"") == self.genesis_hash:
            return
        if is_founding or not self.keyring.founded:
            raise Disowned(Check.GENESIS, "the record does not begin with the event that the trust file names")
        self._check_signature(record, source.member, at_ms)

    def _check_signature(self, record: Record, member: str, at_ms: int) -> None:
        hint, signature = _only(record, KEY_ID_HEADER), _only(record, SIGNATURE_HEADER)
        if hint is None or signature is None:
            raise Disowned(Check.SIGNATURE, "it is not signed")
        key = self.keyring.keys.get(hint.decode("ascii", "replace"))
        if key is None:
            raise Disowned(Check.KEY, "its key was not registered before")
        if not signing.verifies(key.public_key, record.value or b"", signature):
            raise Disowned(Check.SIGNATURE, f"its signature is not by {key.owner}'s key")
        if (objection := key.objection(at_ms)) is not None:
            raise Disowned(Check.KEY, f"{key.owner}'s key {objection}")
        if key.owner != member:
            raise Disowned(Check.KEY, f"{member} is named as its sender, and {key.owner} signed")


def _event(record: Record) -> Event[Any]:
    if (redaction := Redaction.found(record.value)) is not None:
        sentence = f"its content was taken out ({redaction.reason}): neither that nor its signature can be checked"
        raise Disowned(Check.REDACTED, sentence, Outcome.UNPROVEN)
    try:
        return codec.decode(record.value or b"")
    except UnknownEventType as error:
        sentence = f"this release cannot read {error.event_type}: verify with a newer one"
        raise Disowned(Check.UNREADABLE, sentence, Outcome.UNPROVEN) from error
    except NotAnEvent as error:
        raise Disowned(Check.CONTENT, f"it holds no event ({error.code.value})") from error


def _only(record: Record, name: str) -> bytes | None:
    found = [value for header, value in record.headers if header == name]
    return found[0] if len(found) == 1 else None
