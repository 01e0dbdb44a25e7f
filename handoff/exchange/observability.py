"""What the exchange tells its operators of what it routed: one line and one count for each entry, and the alarms."""

import structlog

from handoff import telemetry
from handoff.exchange.routing import Alarm, Placed, Routed
from handoff.record.envelope import Event

_log = structlog.get_logger()


def tell(batch: tuple[Placed, ...], routed: Routed, next_offset: int) -> None:
    """Says what ``batch`` came to."""
    telemetry.RECORD_NEXT_OFFSET.set(next_offset)
    for placed, verdict in zip(batch, routed.verdicts, strict=True):
        telemetry.ROUTED.labels(verdict.kind.value).inc()
        event = placed.entry.event
        said = (
            {"type": event.type, "event_id": str(event.id), "emitter": event.emitter}
            if isinstance(event, Event)
            else {}
        )
        _log.info("routed", offset=placed.offset, verdict=verdict.kind.value, reason=verdict.reason, **said)
    for alarm in routed.alarms:
        _alarm(alarm)


def _alarm(alarm: Alarm) -> None:
    why = str(alarm.verdict.reason)
    telemetry.RECORD_ALARMS.labels(why).inc()
    _log.error(
        "alarm: an entry of the record is not as it should be",
        offset=alarm.offset,
        type=alarm.event_type,
        emitter=alarm.emitter,
        verdict=alarm.verdict.kind.value,
        reason=why,
    )
