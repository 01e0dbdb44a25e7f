"""Log lines and metrics of routing: one line and one count an entry, and the alarms."""

import structlog

from handoff import telemetry
from handoff.exchange.routing import Alarm, Placed, Routed
from handoff.record.envelope import Event

_log = structlog.get_logger()


def tell(batch: tuple[Placed, ...], routed: Routed, next_offset: int) -> None:
    """Log and count the verdicts of ``batch``."""
    telemetry.RECORD_NEXT_OFFSET.set(next_offset)
    for placed, verdict in zip(batch, routed.verdicts, strict=True):
        telemetry.ROUTED.labels(verdict.kind.value).inc()
        event = placed.entry.event
        said = (
            {"type": event.type, "event_id": str(event.id), "emitter": event.emitter}
            if isinstance(event, Event)
            else {}
        )
        _log.info(
            "router.entry_routed", offset=placed.offset, verdict=verdict.kind.value, reason=verdict.reason, **said
        )
    for alarm in routed.alarms:
        _alarm(alarm)


def _alarm(alarm: Alarm) -> None:
    why = str(alarm.verdict.reason)
    telemetry.RECORD_ALARMS.labels(why).inc()
    _log.error(
        "router.alarm_raised",
        offset=alarm.offset,
        type=alarm.event_type,
        emitter=alarm.emitter,
        verdict=alarm.verdict.kind.value,
        reason=why,
    )
