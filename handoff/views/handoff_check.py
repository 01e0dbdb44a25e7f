"""Comparison of the stored handoffs of a case, from which figures are computed, with those of the judged entries."""

from collections.abc import Callable, Iterable, Iterator
from uuid import UUID

from handoff.domain.case import Case
from handoff.judging.timeline_check import TimelineDifference
from handoff.views.handoffs import Handoff, handoff


def handoff_differences(
    case: Case, stored: Iterable[Handoff], position_of: Callable[[UUID], int]
) -> Iterator[TimelineDifference]:
    """Yield each difference; ``position_of`` returns the position of the first entry about a referral."""
    found = {one.referral: one for one in stored}
    judged = {referral.id: handoff(case, referral) for referral in case.referrals.values()}
    for referral in found.keys() - judged.keys():
        yield TimelineDifference(position_of(referral), "handoffs", str(referral), None)
    for referral, computed in judged.items():
        kept = found.get(referral)
        if kept is None:
            yield TimelineDifference(position_of(referral), "handoffs", None, str(referral))
        elif kept != computed:
            yield from _fields(position_of(referral), kept, computed)


def _fields(position: int, kept: Handoff, computed: Handoff) -> Iterator[TimelineDifference]:
    for name in Handoff.__struct_fields__:
        before, after = getattr(kept, name), getattr(computed, name)
        if before != after:
            yield TimelineDifference(position, f"handoffs.{name}", _text(before), _text(after))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
