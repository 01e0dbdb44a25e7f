"""Log lines and metrics of routing: one line and one count an entry, and the alarms."""

from collections import Counter

import structlog

from handoff import telemetry
from handoff.domain.record_fold import JudgedRecord
from handoff.exchange.routing import Routed
from handoff.record.envelope import Event

_log = structlog.get_logger()


def record_batch(routed: Routed, next_offset: int) -> None:
    """Log and count the verdicts of a batch."""
    telemetry.RECORD_NEXT_OFFSET.set(next_offset)
    telemetry.RECORD_CLOCK_SKEW.set(routed.judged[-1].record.kafka.skew_ms / 1000)
    for verdict, count in Counter(judged.verdict.kind.value for judged in routed.judged).items():
        telemetry.ROUTED.labels(verdict).inc(count)
    for judged in routed.judged:
        _log.info("router.entry_routed", **_fields(judged))
    for judged in routed.judged:
        if judged.is_alarming:
            telemetry.RECORD_ALARMS.labels(judged.alarm, judged.proven_emitter or "").inc()
            _log.error("router.alarm_raised", **_fields(judged), caused_by=judged.proven_emitter)
    for judged in routed.not_serving:
        telemetry.RECORD_ALARMS.labels("no_open_referral", judged.proven_emitter or "").inc()
        _log.error("router.end_without_open_referral", **_fields(judged), caused_by=judged.proven_emitter)


def _fields(judged: JudgedRecord) -> dict[str, object]:
    event, verdict = judged.record.event, judged.verdict
    fields: dict[str, object] = {
        "offset": judged.record.offset,
        "verdict": verdict.kind.value,
        "reason": verdict.reason,
    }
    if isinstance(event, Event):
        # Type and emitter of a decoded event are names from closed lists, so they may be logged.
        fields |= {"type": event.type, "event_id": str(event.id), "emitter": event.emitter}
    return fields
