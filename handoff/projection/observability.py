"""Log lines, metrics and alarms of the projection."""

from collections import Counter

import structlog

from handoff import clock, telemetry
from handoff.adapters.postgres.checkpoint_store import HeadForked
from handoff.domain.record_fold import JudgedRecord
from handoff.record.delivery import to_ms
from handoff.record.envelope import Event
from handoff.views.timeline_fold import TimelineBatch

_log = structlog.get_logger()


def record_batch(batch: TimelineBatch) -> None:
    """Log and count a stored batch: codes, event ids, counts and times only."""
    verdicts = Counter(row.judged.verdict.kind.value for row in batch.rows)
    behind_ms = to_ms(clock.now()) - batch.rows[-1].entry.appended_ms
    for verdict, count in verdicts.items():
        telemetry.PROJECTED_ENTRIES.labels(verdict).inc(count)
    telemetry.PROJECTION_OFFSET.set(batch.next_offset)
    telemetry.PROJECTION_SECONDS.observe(max(behind_ms, 0) / 1000)
    _log.info(
        "projection.batch_stored", first=batch.first_offset, next=batch.next_offset, behind_ms=behind_ms, **verdicts
    )
    for row in batch.rows:
        if row.judged.is_alarming:
            _record_alarm(row.judged)


def record_checkpoint(size: int, due_ms: int) -> None:
    """Log and record a published checkpoint."""
    telemetry.CHECKPOINT_SIZE.set(size)
    telemetry.CHECKPOINT_TIME.set(due_ms / 1000)
    _log.info("checkpoint.published", size=size, due_ms=due_ms)


def record_cosigners(count: int) -> None:
    """Record the number of cosigners of the newest head."""
    telemetry.CHECKPOINT_COSIGNERS.set(count)


def record_receipts(count: int) -> None:
    """Count stored receipts."""
    telemetry.RECEIPTS.inc(count)


def record_publisher_restart(error: Exception) -> None:
    """Log and count a restart after the database or the broker was unavailable."""
    telemetry.CHECKPOINT_RETRIES.inc()
    _log.warning("checkpoint.publisher_restarted", error=type(error).__name__)


def record_checkpoint_alarm(why: str, **fields: object) -> None:
    """Raise an alarm about the content of the checkpoints topic."""
    telemetry.CHECKPOINT_ALARMS.labels(why).inc()
    _log.error("checkpoint.alarm_raised", why=why, **fields)


def record_end(error: BaseException) -> None:
    """Log why the projection stops, with a code that the runbook explains."""
    code = "head_forked" if isinstance(error, HeadForked) else "record_truncated"
    telemetry.RECORD_ALARMS.labels(code, "").inc()
    _log.critical("record.broken", code=code, why=str(error))


def _record_alarm(judged: JudgedRecord) -> None:
    event, verdict = judged.record.event, judged.verdict
    telemetry.RECORD_ALARMS.labels(judged.alarm, judged.proven_emitter or "").inc()
    # Type and emitter of a decoded event are names from closed lists, so they may be logged.
    fields = {"type": event.type, "emitter": event.emitter} if isinstance(event, Event) else {}
    _log.error(
        "projection.alarm_raised",
        offset=judged.record.offset,
        verdict=verdict.kind.value,
        reason=verdict.reason,
        caused_by=judged.proven_emitter,
        **fields,
    )
