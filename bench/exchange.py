"""The exchange: out → record → in with durable routing, against an agent that routes and inserts one row."""

import secrets
from collections.abc import Callable, Iterator
from itertools import islice

from bench.contest import Job, Outcome
from bench.projection import cpu_time
from bench.race import Spread, Standings, race, run
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand
from bench.stories import Place, signed
from handoff.record.codec import AnyEvent
from handoff.record.envelope import COORDINATION
from handoff.record.message import Message
from handoff.record.topics import out_topic

OWN, PEER = "handoff_exchange", "faust_exchange"
_SOURCES = ("police", "social_work")


def exchange(stand: Stand, sizes: Sizes) -> Chapter:
    """Validate, append to the record, read back, judge, route durably, and publish to the inboxes."""

    def prepare(name: str) -> Job:
        return lay_submissions(stand, sizes.exchange if name == OWN else sizes.exchange // 4)

    standings = race([OWN, PEER], sizes.rounds, prepare, stand.progress)
    return Chapter("exchange", "Exchange, out → record → in", list(_findings(standings)), _REMARKS)


def lay_submissions(
    stand: Stand, entries: int, *, among: Callable[[Iterator[Message]], Iterator[Message]] = iter
) -> Job:
    """A founded jurisdiction with ``entries`` events in its outgoing topics, changed by ``among``."""
    jurisdiction = stand.jurisdiction()
    place = Place(jurisdiction.plan)
    founding = list(map(signed, place.founding()))
    stand.lay(jurisdiction, out_topic(place.name, COORDINATION), founding)
    run(OWN, stand.exchange_job(jurisdiction, len(founding)))
    laid = 0
    for number, source in enumerate(_SOURCES):
        submissions = islice(_submissions(place, source, number * entries), entries // len(_SOURCES))
        laid += stand.lay(jurisdiction, out_topic(place.name, source), among(submissions))
    return stand.exchange_job(jurisdiction, laid, run=secrets.token_hex(4), members=_SOURCES)


def _submissions(place: Place, source: str, first: int) -> Iterator[Message]:
    """Cases in which a source requests the shelter and cancels the request."""
    events: Iterator[AnyEvent] = place.called_off(source, first)
    return map(signed, events)


def _findings(standings: Standings) -> Iterator[Measurement]:
    yield Measurement("Handoff, one process", standings.rate(OWN), "events/s", Aim(4000))
    for name, note in (("until the last is on the record", "recorded"), ("until the last is routed", "routed")):
        yield Measurement(f"of that {name}", _share(standings.outcomes[OWN], note), "of the time")
    yield from cpu_time(standings, OWN)
    yield Measurement("Faust agent, one row per event", standings.rate(PEER), "events/s")
    yield from cpu_time(standings, PEER)
    yield Measurement("Handoff ÷ Faust agent", standings.ratio(OWN, PEER), "times", Aim(3))


def _share(outcomes: list[Outcome], note: str) -> Spread:
    return Spread.of([outcome.notes[note] / outcome.seconds for outcome in outcomes])


_REMARKS = (
    "Three in eight of these events are routed to two members, the others to their emitter alone.",
    "The peer has no record, waits for no acknowledgement, and stores neither cases nor positions.",
)
