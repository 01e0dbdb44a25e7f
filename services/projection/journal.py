"""What the projection tells its operators of each page: one line, the counters, and an alarm where one is due."""

from collections import Counter

import structlog

from handoff import clock, telemetry
from handoff.record.delivery import to_ms
from handoff.record.envelope import Event
from handoff.views.chronicle import Line, Page

_log = structlog.get_logger()


def tell(page: Page) -> None:
    """Tells of a page that is stored. Codes, ids of events, counts and times only."""
    verdicts = Counter(line.verdict.outcome.value for line in page.lines)
    behind_ms = to_ms(clock.now()) - page.lines[-1].placed.appended_ms
    for verdict, count in verdicts.items():
        telemetry.PROJECTED_ENTRIES.labels(verdict).inc(count)
    telemetry.PROJECTION_OFFSET.set(page.next_offset)
    telemetry.PROJECTION_SECONDS.observe(max(behind_ms, 0) / 1000)
    _log.info("page", first=page.first_offset, next=page.next_offset, behind_ms=behind_ms, **verdicts)
    for line in page.lines:
        if line.is_alarming:
            _alarm(line)


def _alarm(line: Line) -> None:
    event, verdict = line.placed.entry.event, line.verdict
    telemetry.RECORD_ALARMS.labels(verdict.reason or verdict.outcome.value).inc()
    # An event's type and emitter are names from closed lists once it could be read.
    said = {"type": event.type, "emitter": event.emitter} if isinstance(event, Event) else {}
    _log.error("alarm", offset=line.placed.offset, verdict=verdict.outcome.value, reason=verdict.reason, **said)
