"""The definition of every metric, and which process exports it. `docs/metrics.md` is generated from this module.

Labels hold codes in lower case with underscores; never the id of a case or a person, or a part of a request.
"""

from collections.abc import Mapping

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION
from handoff.release import RELEASE

# The time at which each counter was created doubles the series, and nothing reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]

BUILD = Gauge("handoff_build_info", "1; the label is the release of the process.", ["release"])
BUILD.labels(RELEASE).set(1)

NODE_EPOCH = Gauge("handoff_node_epoch", "The epoch in which this process leads for its member; 0 if it is a standby.")
INBOX_ENTRIES = Counter("handoff_inbox_entries", "Inbox entries handled, by the record's verdict.", ["verdict"])
INBOX_SEQUENCE = Gauge("handoff_inbox_sequence", "Sequence of the last inbox entry that is folded.")
INBOX_ALARMS = Counter(
    "handoff_inbox_alarms",
    "Inbox entries that the exchange did not deliver in this form: each stops the inbox.",
    ["why"],
)
PARKED = Counter(
    "handoff_parked", "Referrals parked because this release cannot fold their next entry, by reason.", ["reason"]
)
QUARANTINED = Counter(
    "handoff_quarantined", "Inbox entries quarantined because they cannot be read, by reason.", ["reason"]
)
OWN_EQUIVOCATIONS = Counter(
    "handoff_own_equivocations", "Own events that contradict an earlier own event with the same id on the record."
)
FOREIGN_ECHOES = Counter(
    "handoff_foreign_echoes", "Recorded own events that this node did not send: its key is used elsewhere."
)
OWN_KEY_EVENTS = Counter(
    "handoff_own_key_events",
    "Events about this member's keys that are no step of its rotation, by type.",
    ["type"],
)
OUTBOX_UNSENT = Gauge("handoff_outbox_unsent", "Own events that are not sent yet.")
OUTBOX_UNECHOED = Gauge("handoff_outbox_unechoed", "Own events without an echo.")
OUTBOX_OLDEST_SECONDS = Gauge("handoff_outbox_oldest_seconds", "Age of the oldest own event without an echo.")
SENT = Counter("handoff_sent", "Events sent to the broker and acknowledged, repeats included.")
SEND_FAILURES = Counter("handoff_send_failures", "Batches that the broker did not acknowledge, repeats included.")
COMMANDS = Counter("handoff_commands", "Commands by outcome.", ["command", "outcome"])
RETENTION_DELETED = Counter("handoff_retention_deleted", "Rows deleted after their retention, by kind.", ["kind"])
RETENTION_FAILURES = Counter("handoff_retention_failures", "Failed deletions of expired rows, by kind.", ["kind"])
CLOCK_OFFSET_SECONDS = Gauge(
    "handoff_clock_offset_seconds",
    "Least amount by which the clock of this node is ahead of record time, from its echoes; negative if it is behind.",
)
DEPENDENCY_AVAILABLE = Gauge(
    "handoff_dependency_available",
    "1 if the broker, the database or the timeline's database has answered recently, else 0.",
    ["dependency"],
)
DATABASE_RETRIES = Counter("handoff_database_retries", "Transactions repeated because the database was unavailable.")

REQUEST_SECONDS = Histogram(
    "handoff_request_seconds",
    "Duration of HTTP requests, from the headers to the last byte of the answer; `Prefer: wait` is included.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ECHO_SECONDS = Histogram(
    "handoff_echo_seconds",
    "Time from the storage of an own event in the outbox to the fold of its echo from the inbox.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)

SUBMISSIONS = Counter(
    "handoff_submissions", "Submissions read by the exchange: accepted, or refused by reason.", ["outcome"]
)
HELD_BACK_SECONDS = Counter(
    "handoff_held_back_seconds", "Time for which a member's topic was held back for its rate, by member.", ["member"]
)
ROUTED = Counter("handoff_routed", "Record entries routed, by verdict.", ["verdict"])
DELIVERED = Counter("handoff_delivered", "Entries sent to inboxes and acknowledged, repeats included.")
RECORD_NEXT_OFFSET = Gauge("handoff_record_next_offset", "The record's next offset to be routed.")
RECORD_CLOCK_SKEW = Gauge(
    "handoff_record_clock_skew_seconds", "Broker's clock minus the exchange's, at the last entry that was routed."
)
ROUTING_EPOCH = Gauge("handoff_routing_epoch", "The epoch in which this exchange routes; 0 if it is a standby.")
EXCHANGE_BACKLOG = Gauge(
    "handoff_exchange_backlog", "Rows waiting to be sent: inbox entries, and the exchange's own events.", ["queue"]
)
DEADLINES_MISSED = Counter("handoff_deadlines_missed", "Missed deadlines that the exchange queued to publish.")
RECORD_ALARMS = Counter(
    "handoff_record_alarms",
    "Record entries that raise an alarm, by reason and by the member whose signature they carry.",
    ["reason", "member"],
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
    "handoff_witness_alarms", "Alarms of a witness or the monitor about the log, by reason.", ["reason"]
)
TRUST_FILE_REFUSED = Counter(
    "handoff_trust_file_refused", "Renewed trust files that are invalid: the policy before counts."
)
VERDICTS_SIZE = Gauge(
    "handoff_verdicts_size", "Size of the record that the last published or compared digest of verdicts covers."
)
VERDICT_ALARMS = Counter(
    "handoff_verdict_alarms",
    "Comparisons in which the timeline and the monitor had other verdicts, or could not be compared, by reason.",
    ["reason"],
)
PROVEN_SIZE = Gauge("handoff_proven_size", "Size of the largest checkpoint with a quorum of cosignatures.")
RECEIPTS_STORED = Counter("handoff_receipts_stored", "Own events with a stored receipt, which ends their outbox row.")
RECEIPT_ALARMS = Counter(
    "handoff_receipt_alarms",
    "Entries whose receipt is missing, invalid, or contradicts the delivery.",
    ["reason"],
)
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
CHECKPOINT_ALARMS = Counter("handoff_checkpoint_alarms", "Alarms about the checkpoints topic, by reason.", ["reason"])
RECEIPTS = Counter("handoff_receipts", "Receipts signed for emitters and recipients.")

# Metrics of each kind of process

NODE = "node"

_EVERY_PROCESS = (BUILD, DEPENDENCY_AVAILABLE, SEND_FAILURES)
_WITNESS = (WITNESS_SIZE, WITNESS_ALARMS)

EXPORTED: Mapping[str, tuple[MetricWrapperBase, ...]] = {
    NODE: (
        *_EVERY_PROCESS,
        DATABASE_RETRIES,
        NODE_EPOCH,
        CLOCK_OFFSET_SECONDS,
        COMMANDS,
        REQUEST_SECONDS,
        OUTBOX_UNSENT,
        OUTBOX_UNECHOED,
        OUTBOX_OLDEST_SECONDS,
        SENT,
        ECHO_SECONDS,
        INBOX_ENTRIES,
        INBOX_SEQUENCE,
        INBOX_ALARMS,
        OWN_EQUIVOCATIONS,
        FOREIGN_ECHOES,
        OWN_KEY_EVENTS,
        PARKED,
        QUARANTINED,
        RETENTION_DELETED,
        RETENTION_FAILURES,
        *_WITNESS,
        TRUST_FILE_REFUSED,
        PROVEN_SIZE,
        RECEIPTS_STORED,
        RECEIPT_ALARMS,
        VERDICTS_SIZE,
        VERDICT_ALARMS,
    ),
    EXCHANGE: (
        *_EVERY_PROCESS,
        DATABASE_RETRIES,
        ROUTING_EPOCH,
        SUBMISSIONS,
        HELD_BACK_SECONDS,
        ROUTED,
        DELIVERED,
        RECORD_NEXT_OFFSET,
        RECORD_CLOCK_SKEW,
        EXCHANGE_BACKLOG,
        DEADLINES_MISSED,
        RECORD_ALARMS,
    ),
    PROJECTION: (
        *_EVERY_PROCESS,
        PROJECTION_EPOCH,
        PROJECTED_ENTRIES,
        PROJECTION_OFFSET,
        PROJECTION_SECONDS,
        PROJECTION_RETRIES,
        RECORD_ALARMS,
        CHECKPOINT_SIZE,
        CHECKPOINT_TIME,
        CHECKPOINT_COSIGNERS,
        CHECKPOINT_RETRIES,
        CHECKPOINT_ALARMS,
        TRUST_FILE_REFUSED,
        RECEIPTS,
    ),
    MONITOR: (*_EVERY_PROCESS, *_WITNESS, TRUST_FILE_REFUSED, RECORD_ALARMS, VERDICTS_SIZE),
}
"""Kind of process → its metrics. Every member's process is a node."""


def exposition(member: str) -> bytes:
    """Return the metrics of the process of ``member`` in the text format of Prometheus, and those of Python."""
    registry = CollectorRegistry()
    for collector in (*EXPORTED.get(member, EXPORTED[NODE]), PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    return generate_latest(registry)
