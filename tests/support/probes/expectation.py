"""A checker of histories: what every inbox has to hold, worked out from the record alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from handoff.domain.case import Case, Situation
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalations
from handoff.domain.record_fold import examine
from handoff.domain.routing import recipients
from handoff.record.delivery import EFFECTIVE, Delivery, Verdict, VerdictKind, from_ms
from handoff.record.envelope import Event, Identity
from handoff.record.events import Audience
from handoff.record.kafka_record import KafkaRecord, parse

Line = tuple[bytes | None, Verdict, int]
"""A value, its verdict and its record time in milliseconds."""


def expected_inboxes(record: Iterable[KafkaRecord], empty: Directory, genesis_hash: str) -> Mapping[str, list[Line]]:
    """Member → entries due in its inbox, in order."""
    inboxes: dict[str, list[Line]] = defaultdict(list)
    everyone: list[Line] = []
    seen: dict[Identity, str] = {}
    cases: dict[str, Case] = {}
    escalations: Escalations = {}
    directory, clock = empty, 0
    for placed in record:
        clock = max(clock, placed.counted_ms)
        entry = parse(placed)
        assert isinstance(entry.event, Event), f"offset {placed.offset} is no event"
        event, identity = entry.event, entry.event.identity
        case = cases.get(event.subject, Case(event.case_id)) if event.case_id else None
        before = Situation(directory, case, escalations if case is None else {})
        verdict, after = examine(
            before, entry, first_hash=seen.get(identity), at=from_ms(clock), genesis_hash=genesis_hash
        )
        if verdict.kind in (VerdictKind.EFFECTIVE, VerdictKind.INEFFECTIVE):
            seen[identity] = entry.value_hash
        for newcomer in set(after.directory.members) - set(directory.members):
            inboxes[newcomer] += everyone
        for member in recipients(event, verdict, before, after) & set(after.directory.members):
            inboxes[member].append((placed.message.value, verdict, clock))
        if verdict == EFFECTIVE and event.data.audience is Audience.ALL:
            everyone.append((placed.message.value, EFFECTIVE, clock))
        directory = after.directory
        if after.case is not None:
            cases[event.subject] = after.case
        else:
            escalations = after.escalations
    return inboxes


def lines(deliveries: Iterable[Delivery]) -> list[Line]:
    """Return the content of an inbox."""
    return [(d.message.value, d.verdict, round(d.record_time.timestamp() * 1000)) for d in deliveries]
