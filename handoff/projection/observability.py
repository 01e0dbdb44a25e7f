"""What the projection tells its operators: one line and the counters for each thing done, and alarms where due."""

from collections import Counter

import structlog

from handoff import clock, telemetry
from handoff.adapters.postgres.checkpoint_store import HeadForked
from handoff.record.delivery import to_ms
from handoff.record.envelope import Event
from handoff.views.timeline_fold import Line, Page

_log = structlog.get_logger()


def tell(page: Page) -> None:
    """Tells of a page that is stored. Codes, ids of events, counts and times only."""
    verdicts = Counter(line.verdict.kind.value for line in page.lines)
    behind_ms = to_ms(clock.now()) - page.lines[-1].placed.appended_ms
    for verdict, count in verdicts.items():
        telemetry.PROJECTED_ENTRIES.labels(verdict).inc(count)
    telemetry.PROJECTION_OFFSET.set(page.next_offset)
    telemetry.PROJECTION_SECONDS.observe(max(behind_ms, 0) / 1000)
    _log.info("page", first=page.first_offset, next=page.next_offset, behind_ms=behind_ms, **verdicts)
    for line in page.lines:
        if line.is_alarming:
            _alarm(line)


def tell_of_checkpoint(size: int, due_ms: int) -> None:
    """Tells of a checkpoint that the broker has."""
    telemetry.CHECKPOINT_SIZE.set(size)
    telemetry.CHECKPOINT_TIME.set(due_ms / 1000)
    _log.info("checkpoint", size=size, due_ms=due_ms)


def tell_of_cosigners(count: int) -> None:
    """Tells how many have cosigned the last head."""
    telemetry.CHECKPOINT_COSIGNERS.set(count)


def tell_of_receipts(count: int) -> None:
    """Tells of receipts that are stored."""
    telemetry.RECEIPTS.inc(count)


def tell_of_pause(error: Exception) -> None:
    """Tells that checkpoints wait for the database or the broker."""
    telemetry.CHECKPOINT_RETRIES.inc()
    _log.warning("checkpoints begun again from what is stored", error=type(error).__name__)


def alarm(why: str, **said: object) -> None:
    """Tells of what should not be on the topic of checkpoints, or should be and is not."""
    telemetry.CHECKPOINT_ALARMS.labels(why).inc()
    _log.error("alarm", why=why, **said)


def tell_of_the_end(error: BaseException) -> None:
    """Tells why nothing more may be built on this record: by a code that operators look up."""
    code = "head-forked" if isinstance(error, HeadForked) else "record-truncated"
    telemetry.RECORD_ALARMS.labels(code).inc()
    _log.critical("alarm: the record is broken", code=code, why=str(error))


def _alarm(line: Line) -> None:
    event, verdict = line.placed.entry.event, line.verdict
    telemetry.RECORD_ALARMS.labels(verdict.reason or verdict.kind.value).inc()
    # An event's type and emitter are names from closed lists once it could be read.
    said = {"type": event.type, "emitter": event.emitter} if isinstance(event, Event) else {}
    _log.error("alarm", offset=line.placed.offset, verdict=verdict.kind.value, reason=verdict.reason, **said)
