"""The timeline as an event log for process mining: XES, IEEE 1849-2016. The case is the trace.

What an institution said is an event's name, its record time the timestamp, the institution the resource. The
lifecycle is the standard's own, of the referral that the event names, which is also the event's instance.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, indent, tostring

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
"""What an event does to its referral in the standard's lifecycle; all else is complete when it is said."""


def as_xes(case: UUID, entries: Iterable[ReplayedEntry]) -> bytes:
    """The log of one case. What changed nothing is there too, with its verdict and an unknown transition."""
    log = Element("log", {"xes.version": "1849-2016", "xes.features": "", "xmlns": "http://www.xes-standard.org/"})
    for name, prefix, uri in _EXTENSIONS:
        SubElement(log, "extension", name=name, prefix=prefix, uri=uri)
    _globals(log)
    SubElement(log, "classifier", name="What was said", keys="concept:name lifecycle:transition")
    SubElement(log, "string", key="lifecycle:model", value="standard")
    trace = SubElement(log, "trace")
    _string(trace, "concept:name", str(case))
    for told in entries:
        _event(trace, told)
    indent(log)
    written: bytes = tostring(log, encoding="utf-8", xml_declaration=True)
    return written


def _globals(log: Element) -> None:
    trace = SubElement(log, "global", scope="trace")
    _string(trace, "concept:name", _UNKNOWN)
    event = SubElement(log, "global", scope="event")
    _string(event, "concept:name", _UNKNOWN)
    SubElement(event, "date", key="time:timestamp", value="1970-01-01T00:00:00+00:00")
    _string(event, "org:resource", _UNKNOWN)
    _string(event, "lifecycle:transition", _UNKNOWN)


def _event(trace: Element, told: ReplayedEntry) -> None:
    event = SubElement(trace, "event")
    said = told.decoded.event
    _string(event, "concept:name", said.type.rpartition(".v")[0] if said is not None else _UNKNOWN)
    SubElement(event, "date", key="time:timestamp", value=told.at.isoformat())
    _string(event, "org:resource", told.emitter or _UNKNOWN)
    _string(event, "lifecycle:transition", _transition(told))
    _string(event, "handoff:verdict", told.verdict.kind.value)
    if told.verdict.reason is not None:
        _string(event, "handoff:reason", told.verdict.reason)
    if told.referral_id is not None:
        _string(event, "concept:instance", str(told.referral_id))
    if told.referral is not None:
        _string(event, "handoff:service", told.referral.service.value)
    SubElement(event, "int", key="handoff:position", value=str(told.position))


def _transition(told: ReplayedEntry) -> str:
    if told.verdict.kind is not VerdictKind.EFFECTIVE:
        return _UNKNOWN
    return _TRANSITIONS.get(type(told.body), "complete")


def _string(parent: Element, key: str, value: str) -> None:
    SubElement(parent, "string", key=key, value=value)
