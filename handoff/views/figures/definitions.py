"""Definitions of the figures in words: what each counts, and by which clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """Definition of a figure. ``denominator`` is what it counts; waits have the ended ones as their numerator."""

    title: str
    denominator: str
    numerator: str
    clock: str


_RECORD = "record time"
_HANDOFFS = "handoffs requested in the quarter"
_SHELTER_CHAINS = "chains of shelter requests that began in the quarter"

DEFINITIONS = {
    "until_answered": Definition(
        "Time until answered", _HANDOFFS, "answered ones: accepted or refused", "record time, from request to answer"
    ),
    "segments": Definition(
        "Segments", f"{_HANDOFFS} in which the segment began", "those in which it ended", "record time outside holds"
    ),
    "until_yes": Definition(
        "Time until somebody said yes",
        "chains of redirects that began in the quarter",
        "chains with an acceptance; a refusal never counts as one",
        "record time, from the first request of the chain",
    ),
    "between_institutions": Definition(
        "Time until answered, from institution to institution",
        _HANDOFFS,
        "answered ones: accepted or refused",
        "record time, from request to answer",
    ),
    "answered_in_time": Definition(
        "Answered in time",
        f"{_HANDOFFS}, answered or late",
        "those whose answer was not late",
        "the deadline of the answer, with its calendar and holds",
    ),
    "refused": Definition(
        "Refused, and why",
        _HANDOFFS,
        "those refused, not arrived at, or left before an answer, by group of reasons",
        _RECORD,
    ),
    "until_safe": Definition(
        "Time to a safe place",
        _SHELTER_CHAINS,
        "chains with an arrival at any shelter",
        "record time, from the first request of the chain to the arrival",
    ),
    "turned_away": Definition("Turned away", _SHELTER_CHAINS, "chains with a refusal for lack of capacity", _RECORD),
    "unplaced": Definition(
        "Unplaced after 24 hours",
        f"{_SHELTER_CHAINS} at least 24 hours ago",
        "chains without an arrival within 24 hours",
        _RECORD,
    ),
    "first_contact": Definition(
        "First contact in time",
        "accepted case management of the quarter, contacted or late",
        "those whose first contact was not late",
        "the deadline of the first contact, with its calendar and holds",
    ),
    "benefit_decided": Definition(
        "Benefit decisions in time",
        "requests for benefit continuity of the quarter, decided or late",
        "those whose decision was not late",
        "five working days, by the calendar of the deciding institution",
    ),
    "legal_aid_offered": Definition(
        "Legal aid offered and wanted",
        "cases opened in the quarter; of these, those with the offer",
        "cases with the offer; of these, those where she accepted it",
        _RECORD,
    ),
    "legal_aid_accepted": Definition(
        "Legal aid taken on", "requests for legal aid of the quarter", "accepted ones", _RECORD
    ),
    "reporting_delay": Definition(
        "Reporting delay",
        "cases opened in the quarter at the entry point",
        "those with this delay between violence and report",
        "as the institution recorded it",
    ),
    "reintegration": Definition(
        "Reintegration",
        "discharges; plans; requests for training and jobs of the quarter",
        "planned discharges; agreed plans; accepted requests",
        _RECORD,
    ),
    "follow_ups": Definition(
        "Follow-ups done", "follow-ups requested in the quarter that are due", "those in which she was reached", _RECORD
    ),
    "escalations_acknowledged": Definition(
        "Escalations acknowledged in time",
        "escalations of the quarter, acknowledged or late",
        "those whose acknowledgement was not late",
        "the deadline of the acknowledgement, by the coordinator's calendar",
    ),
    "occupancy": Definition(
        "Occupancy",
        "places times nights of the quarter that have passed",
        "nights spent, counted at 06:00 local time",
        "record time of arrival and discharge",
    ),
}
"""Definition of each figure, by its code."""
