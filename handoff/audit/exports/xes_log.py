"""The timeline as an event log for process mining: XES, IEEE 1849-2016.

The case is the trace. An event's name is its type, its timestamp the record time, its resource the institution. The
lifecycle is the standard lifecycle, applied to the referral that the event names, which is also the event's instance.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from handoff.audit.exports.csv_table import NO_DIFFERENCES
from handoff.audit.exports.export_time import export_time
from handoff.record.delivery import VerdictKind
from handoff.record.events import Body
from handoff.record.events import referral as r
from handoff.views.replay.history import ReplayedEntry

_EXTENSIONS = (
    ("Concept", "concept", "http://www.xes-standard.org/concept.xesext"),
    ("Time", "time", "http://www.xes-standard.org/time.xesext"),
    ("Organizational", "org", "http://www.xes-standard.org/org.xesext"),
    ("Lifecycle", "lifecycle", "http://www.xes-standard.org/lifecycle.xesext"),
)
_UNKNOWN = "unknown"
_EPOCH = datetime.fromtimestamp(0, UTC)
_TRANSITIONS: Mapping[type[Body], str] = MappingProxyType(
    {
        r.ReferralRequested: "schedule",
        r.ReferralImported: "schedule",
        r.ReferralAccepted: "assign",
        r.ReferralRedirected: "reassign",
        r.ReferralStarted: "start",
        r.ReferralPaused: "suspend",
        r.ReferralResumed: "resume",
        r.ReferralCompleted: "complete",
        r.ReferralFailed: "ate_abort",
        r.ReferralRejected: "autoskip",
        r.ReferralCancelled: "withdraw",
        r.ReferralRevoked: "withdraw",
        r.ReferralVoided: "pi_abort",
    }
)
"""Event type → transition of its referral in the standard lifecycle. Any other event is `complete`."""


def as_xes(case: UUID, entries: Iterable[ReplayedEntry], differing: Mapping[int, str] = NO_DIFFERENCES) -> bytes:
    """Return the log of one case. An ineffective entry is included with its verdict and an `unknown` transition.

    ``differing`` has the columns of the database that differ from the raw record, by position.
    """
    log = Element("log", {"xes.version": "1849-2016", "xes.features": "", "xmlns": "http://www.xes-standard.org/"})
    for name, prefix, uri in _EXTENSIONS:
        SubElement(log, "extension", name=name, prefix=prefix, uri=uri)
    _globals(log)
    SubElement(log, "classifier", name="Event and transition", keys="concept:name lifecycle:transition")
    SubElement(log, "string", key="lifecycle:model", value="standard")
    trace = SubElement(log, "trace")
    _string(trace, "concept:name", str(case))
    for entry in entries:
        _event(trace, entry, differing.get(entry.position))
    indent(log)
    document: bytes = tostring(log, encoding="utf-8", xml_declaration=True)
    return document


def _globals(log: Element) -> None:
    trace = SubElement(log, "global", scope="trace")
    _string(trace, "concept:name", _UNKNOWN)
    event = SubElement(log, "global", scope="event")
    _string(event, "concept:name", _UNKNOWN)
    SubElement(event, "date", key="time:timestamp", value=export_time(_EPOCH))
    _string(event, "org:resource", _UNKNOWN)
    _string(event, "lifecycle:transition", _UNKNOWN)


def _event(trace: Element, entry: ReplayedEntry, differs: str | None) -> None:
    event = SubElement(trace, "event")
    recorded = entry.decoded.event
    _string(event, "concept:name", recorded.type.rpartition(".v")[0] if recorded is not None else _UNKNOWN)
    SubElement(event, "date", key="time:timestamp", value=export_time(entry.at))
    _string(event, "org:resource", entry.emitter or _UNKNOWN)
    _string(event, "lifecycle:transition", _transition(entry))
    _string(event, "handoff:verdict", entry.verdict.kind.value)
    if entry.verdict.reason is not None:
        _string(event, "handoff:reason", entry.verdict.reason)
    if entry.referral_id is not None:
        _string(event, "concept:instance", str(entry.referral_id))
    if entry.referral is not None:
        _string(event, "handoff:service", entry.referral.service.value)
    if differs is not None:
        _string(event, "handoff:differs", differs)
    SubElement(event, "int", key="handoff:position", value=str(entry.position))


def _transition(entry: ReplayedEntry) -> str:
    if entry.verdict.kind is not VerdictKind.EFFECTIVE:
        return _UNKNOWN
    return _TRANSITIONS.get(type(entry.body), "complete")


def _string(parent: Element, key: str, value: str) -> None:
    SubElement(parent, "string", key=key, value=value)
