"""One record, judged by each of its readers: the exchange, the projection and the history checker."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from handoff.domain.directory import Directory
from handoff.domain.escalations import escalation_of
from handoff.exchange import routing
from handoff.judging.timeline_check import DerivedColumns, TimelineRecord
from handoff.record import codec, signing
from handoff.record.delivery import to_ms
from handoff.record.envelope import Event
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.message import Message
from handoff.views import timeline_fold
from history_checker.history import CheckedHistory
from history_checker.snapshot import RecordEntry
from history_checker.state import JurisdictionState
from tests.support.dsl import spec
from tests.support.dsl.builders import GENERATION, JURISDICTION, signed

Appended = tuple[Message, datetime]
"""A message, and the broker's time when it was appended."""

GENESIS_HASH = signing.sha256(codec.encode(spec.founding()))


def founded(*more: Appended) -> list[Appended]:
    """A record that begins with the jurisdiction's foundation."""
    return [*((signed(event), spec.T0 - spec.DAY) for event in spec.foundation()), *more]


def story_of(record: spec.Record) -> list[Appended]:
    """The foundation and the entries of ``record``, each signed by its emitter."""
    return founded(*((signed(entry.event), entry.at) for entry in record.entries))


def parsed(appended: Iterable[Appended]) -> Iterator[ParsedRecord]:
    """Return the record, parsed."""
    for offset, (message, at) in enumerate(appended):
        yield parse(KafkaRecord(offset, to_ms(at), message))


def routed(appended: Iterable[Appended]) -> routing.Routed:
    """The record as the exchange judges and routes it."""
    batch = tuple(parsed(appended))
    known = routing.Known(Directory(JURISDICTION, GENERATION), 0, {}, {}, {})
    return routing.route(known, batch, GENESIS_HASH)


def projected(appended: Iterable[Appended]) -> timeline_fold.TimelineBatch:
    """The record as the projection folds it."""
    fold = timeline_fold.TimelineFold.at(GENESIS_HASH, Directory(JURISDICTION, GENERATION))
    return fold.apply(tuple(parsed(appended)), {})


def timeline_records(record: spec.Record) -> list[TimelineRecord]:
    """The rows of the directory and of ``record``, as a reader of the timeline gets them."""
    return [_timeline_record(row) for row in projected(story_of(record)).rows]


def _timeline_record(row: timeline_fold.TimelineRow) -> TimelineRecord:
    judged, entry, event = row.judged, row.entry, row.judged.record.event
    assert isinstance(event, Event)
    referral = getattr(event.data, "referral", None)
    return TimelineRecord(
        kafka=KafkaRecord(entry.offset, entry.appended_ms, judged.record.message),
        record_ms=judged.record_ms,
        is_of_strand=True,
        tag=entry.case_tag,
        sequence=entry.sequence,
        previous_leaf=entry.previous_leaf,
        leaf=row.leaf,
        derived=DerivedColumns(
            judged.record_ms,
            judged.verdict,
            event.subject,
            event.id,
            event.type,
            event.emitter,
            referral,
            escalation_of(event),
            judged.rules,
            row.recipients,
        ),
    )


def checked(appended: Iterable[Appended]) -> CheckedHistory:
    """The record as the history checker reads it."""
    history = CheckedHistory(JurisdictionState(JURISDICTION), GENERATION, GENESIS_HASH)
    for offset, (message, at) in enumerate(appended):
        history.append(RecordEntry(offset, to_ms(at), message.key, message.value, message.headers))
    return history


def directory_after(appended: Iterable[Appended]) -> Directory:
    """The directory at the end of the record."""
    return routed(appended).directory


def record_times(appended: Iterable[Appended]) -> list[int]:
    """The record time of each entry, in milliseconds."""
    return [row.judged.record_ms for row in projected(appended).rows]


READERS: Mapping[str, Callable[[list[Appended]], list[str]]] = MappingProxyType(
    {
        "exchange": lambda appended: [str(judged.verdict.kind) for judged in routed(appended).judged],
        "projection": lambda appended: [str(row.judged.verdict.kind) for row in projected(appended).rows],
        "checker": lambda appended: [judged.outcome for judged in checked(appended).judged],
    }
)
"""Reader → the outcome that it gives to each entry of a record."""
