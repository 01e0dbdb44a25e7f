"""Logging set-up and the definition of every metric.

Log lines and labels hold codes, event ids, counts and times only; never an event's body, personal data or a
request's address.
"""

import logging
import sys
import time
from typing import Literal, TextIO

import structlog
from prometheus_client import Counter, Gauge, Histogram

# Metrics

NODE_EPOCH = Gauge("handoff_node_epoch", "The epoch in which this process leads for its member; 0 if it is a standby.")
INBOX_ENTRIES = Counter("handoff_inbox_entries", "Inbox entries handled, by the record's verdict.", ["verdict"])
INBOX_SEQUENCE = Gauge("handoff_inbox_sequence", "Sequence of the last inbox entry that is folded.")
INBOX_GAPS = Counter("handoff_inbox_gaps", "Inbox entries that came too early: one before them is missing.")
PARKED = Counter("handoff_parked", "Referrals set aside because this release cannot fold them, by cause.", ["why"])
QUARANTINED = Counter("handoff_quarantined", "Inbox entries that could not be read, by code.", ["code"])
OUTBOX_UNSENT = Gauge("handoff_outbox_unsent", "Own events not sent yet.")
OUTBOX_UNECHOED = Gauge("handoff_outbox_unechoed", "Own events whose echo is not back.")
OUTBOX_OLDEST_SECONDS = Gauge("handoff_outbox_oldest_seconds", "Age of the oldest own event without an echo.")
SENT = Counter("handoff_sent", "Events sent to the broker and acknowledged, repeats included.")
SEND_FAILURES = Counter("handoff_send_failures", "Batches that the broker did not acknowledge.")
COMMANDS = Counter("handoff_commands", "Commands by their outcome at the desk.", ["command", "outcome"])
DATABASE_RETRIES = Counter("handoff_database_retries", "Transactions repeated because the database was away.")

SUBMISSIONS = Counter("handoff_submissions", "Submissions that the exchange took in, accepted or by code.", ["outcome"])
ROUTED = Counter("handoff_routed", "Record entries routed, by verdict.", ["verdict"])
DELIVERED = Counter("handoff_delivered", "Entries put into inboxes and acknowledged, repeats included.")
RECORD_NEXT_OFFSET = Gauge("handoff_record_next_offset", "The record's next offset to be routed.")
ROUTING_EPOCH = Gauge("handoff_routing_epoch", "The epoch in which this exchange routes; 0 where it stands by.")
EXCHANGE_BACKLOG = Gauge(
    "handoff_exchange_backlog", "Rows waiting to be sent: inbox entries, and the exchange's own events.", ["what"]
)
DEADLINES_MISSED = Counter("handoff_deadlines_missed", "Missed deadlines that the exchange queued to publish.")
RECORD_ALARMS = Counter("handoff_record_alarms", "Record entries that should not be as they are, by verdict.", ["why"])

PROJECTED_ENTRIES = Counter("handoff_projected_entries", "Record entries put on the timeline, by verdict.", ["verdict"])
PROJECTION_OFFSET = Gauge("handoff_projection_offset", "The record's next offset to be put on the timeline.")
PROJECTION_EPOCH = Gauge("handoff_projection_epoch", "The epoch in which this projection writes; 0 where it stands by.")
PROJECTION_SECONDS = Histogram(
    "handoff_projection_seconds",
    "From the append time of a page's last entry to its commit on the timeline.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120),
)
PROJECTION_RETRIES = Counter("handoff_projection_retries", "Times a projection began again from its stored position.")

WITNESS_SIZE = Gauge("handoff_witness_size", "Size of the largest checkpoint that this process has cosigned.")
WITNESS_ALARMS = Counter(
    "handoff_witness_alarms", "What a witness or the monitor holds against the log, by kind.", ["why"]
)
PROVEN_SIZE = Gauge("handoff_proven_size", "Size of the largest checkpoint for which enough have vouched.")
RECEIPTS_KEPT = Counter("handoff_receipts_kept", "Own events whose receipt was kept, which ends their outbox row.")
RECEIPT_ALARMS = Counter("handoff_receipt_alarms", "Own events whose receipt is missing or unsound.", ["why"])
CHECKPOINT_SIZE = Gauge("handoff_checkpoint_size", "Entries below the last checkpoint that the log published.")
CHECKPOINT_TIME = Gauge("handoff_checkpoint_time_seconds", "When that was due, in seconds since 1970.")
CHECKPOINT_COSIGNERS = Gauge("handoff_checkpoint_cosigners", "How many have cosigned its head so far.")
CHECKPOINT_RETRIES = Counter("handoff_checkpoint_retries", "Times a log began again from what is stored.")
CHECKPOINT_ALARMS = Counter(
    "handoff_checkpoint_alarms", "What should not be on the topic of checkpoints, or is not.", ["why"]
)
RECEIPTS = Counter("handoff_receipts", "Receipts signed for emitters.")

# Lines

QUIET_AFTER_LINES = 5
QUIET_WINDOW_SECONDS = 10.0
_CHATTY = ("aiokafka", "faust", "mode", "kafka", "uvicorn", "httpx")


def set_up_logging(
    *, process: str, level: str = "info", form: Literal["json", "console"] = "json", stream: TextIO = sys.stdout
) -> None:
    """Configure structlog and the standard library to write to ``stream``; each line names ``process``."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_shared(process), *_rendering(form)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # Direct to the stream: through the standard library a line costs several times as much, and the exchange
        # writes two lines an event.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(process),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
        )
    )
    handler.addFilter(Quieter())
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _shared(process: str) -> list[structlog.types.Processor]:
    def named(_logger: object, _method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
        # Not a context variable: Faust's consumer logs from a thread of its own.
        line["process"] = process
        return line

    return [
        named,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendering(form: str) -> list[structlog.types.Processor]:
    if form == "console":
        return [structlog.dev.ConsoleRenderer(colors=False)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


class Quieter(logging.Filter):
    """Rate limit for a client library's log: in an outage it writes thousands of lines."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        root = record.name.partition(".")[0]
        if root not in _CHATTY:
            return True
        now = time.monotonic()
        began, lines = self._windows.get(root, (now, 0))
        if now - began > QUIET_WINDOW_SECONDS:
            began, lines = now, 0
        self._windows[root] = (began, lines + 1)
        return lines < QUIET_AFTER_LINES
