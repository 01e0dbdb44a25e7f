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
INBOX_GAPS = Counter("handoff_inbox_gaps", "Gaps found in the inbox: an entry before the one that was read is missing.")
PARKED = Counter(
    "handoff_parked", "Referrals parked because this release cannot fold their next entry, by cause.", ["why"]
)
QUARANTINED = Counter(
    "handoff_quarantined", "Inbox entries quarantined because they cannot be read, by code.", ["code"]
)
OWN_EQUIVOCATIONS = Counter(
    "handoff_own_equivocations", "Own events that contradict an earlier own event with the same id on the record."
)
OUTBOX_UNSENT = Gauge("handoff_outbox_unsent", "Own events that are not sent yet.")
OUTBOX_UNECHOED = Gauge("handoff_outbox_unechoed", "Own events without an echo.")
OUTBOX_OLDEST_SECONDS = Gauge("handoff_outbox_oldest_seconds", "Age of the oldest own event without an echo.")
SENT = Counter("handoff_sent", "Events sent to the broker and acknowledged, repeats included.")
SEND_FAILURES = Counter("handoff_send_failures", "Batches that the broker did not acknowledge, repeats included.")
COMMANDS = Counter("handoff_commands", "Commands by outcome.", ["command", "outcome"])
RETENTION_DELETED = Counter("handoff_retention_deleted", "Rows deleted after their retention, by kind.", ["kind"])
RETENTION_FAILURES = Counter("handoff_retention_failures", "Failed deletions of expired rows, by kind.", ["kind"])
DEPENDENCY_AVAILABLE = Gauge(
    "handoff_dependency_available",
    "1 if the broker, the database or the timeline's database has answered recently, else 0.",
    ["dependency"],
)
DATABASE_RETRIES = Counter("handoff_database_retries", "Transactions repeated because the database was unavailable.")

SUBMISSIONS = Counter(
    "handoff_submissions", "Submissions read by the exchange: accepted, or refused by code.", ["outcome"]
)
ROUTED = Counter("handoff_routed", "Record entries routed, by verdict.", ["verdict"])
DELIVERED = Counter("handoff_delivered", "Entries sent to inboxes and acknowledged, repeats included.")
RECORD_NEXT_OFFSET = Gauge("handoff_record_next_offset", "The record's next offset to be routed.")
ROUTING_EPOCH = Gauge("handoff_routing_epoch", "The epoch in which this exchange routes; 0 if it is a standby.")
EXCHANGE_BACKLOG = Gauge(
    "handoff_exchange_backlog", "Rows waiting to be sent: inbox entries, and the exchange's own events.", ["what"]
)
DEADLINES_MISSED = Counter("handoff_deadlines_missed", "Missed deadlines that the exchange queued to publish.")
RECORD_ALARMS = Counter(
    "handoff_record_alarms",
    "Record entries that raise an alarm, by code and by the member whose signature they carry.",
    ["why", "member"],
)

PROJECTED_ENTRIES = Counter(
    "handoff_projected_entries", "Record entries written to the timeline, by verdict.", ["verdict"]
)
PROJECTION_OFFSET = Gauge("handoff_projection_offset", "The record's next offset to be written to the timeline.")
PROJECTION_EPOCH = Gauge("handoff_projection_epoch", "The epoch in which this projection writes; 0 if it is a standby.")
PROJECTION_SECONDS = Histogram(
    "handoff_projection_seconds",
    "Time from the append of a batch's last entry to the commit on the timeline.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120),
)
PROJECTION_RETRIES = Counter("handoff_projection_retries", "Restarts of a projection from its stored position.")

WITNESS_SIZE = Gauge("handoff_witness_size", "Size of the largest checkpoint that this process has cosigned.")
WITNESS_ALARMS = Counter(
    "handoff_witness_alarms", "Alarms of a witness or the monitor about the log, by code.", ["why"]
)
PROVEN_SIZE = Gauge("handoff_proven_size", "Size of the largest checkpoint with a quorum of cosignatures.")
RECEIPTS_STORED = Counter("handoff_receipts_stored", "Own events with a stored receipt, which ends their outbox row.")
RECEIPT_ALARMS = Counter("handoff_receipt_alarms", "Own events whose receipt is missing or invalid.", ["why"])
CHECKPOINT_SIZE = Gauge("handoff_checkpoint_size", "Size of the last checkpoint that the log published.")
CHECKPOINT_TIME = Gauge(
    "handoff_checkpoint_time_seconds", "Due time of the last published checkpoint, in seconds since 1970-01-01 UTC."
)
CHECKPOINT_COSIGNERS = Gauge(
    "handoff_checkpoint_cosigners", "Witnesses that have cosigned the last published checkpoint."
)
CHECKPOINT_RETRIES = Counter(
    "handoff_checkpoint_retries", "Restarts of the checkpoint publisher from its stored state."
)
CHECKPOINT_ALARMS = Counter("handoff_checkpoint_alarms", "Alarms about the topic of checkpoints, by code.", ["why"])
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
