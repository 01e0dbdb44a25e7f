"""The projection with all stages, and append only, against its peers."""

import secrets
from collections.abc import Iterator

from bench.contest import Job
from bench.race import Standings, race
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand

OWN = "handoff_projection"
APPEND = "handoff_append"
# Contestants that need far longer for an entry get fewer entries.
_SLOW = frozenset({"faust_insert"})
_PEERS = {
    "faust_insert": ("Faust, one INSERT per event", Aim(9)),
    "faust_take": ("Faust take + COPY", Aim(3)),
    "quix_copy": ("quixstreams + COPY", Aim(2.2)),
    "verify_limit": ("signatures alone, two threads", Aim(0.5)),
}
_APPENDING_PEERS = {"quix_append": ("quixstreams + COPY", Aim(1.4)), "connect_append": ("Kafka Connect", Aim(2))}


def projection(stand: Stand, sizes: Sizes) -> Chapter:
    """Decode, validate, verify, judge, chain, append, handoff rows, offset."""
    standings = _race(stand, sizes, [OWN, *_PEERS])
    return Chapter("projection", "Projection, everything on", list(_findings(standings, OWN, _PEERS)))


def append_only(stand: Stand, sizes: Sizes) -> Chapter:
    """Decode and append, without judgement or signatures."""
    standings = _race(stand, sizes, [APPEND, *_APPENDING_PEERS])
    return Chapter("append", "Append only", list(_findings(standings, APPEND, _APPENDING_PEERS)))


def _race(stand: Stand, sizes: Sizes, contestants: list[str]) -> Standings:
    jurisdiction = stand.jurisdiction()
    stand.lay_record(jurisdiction, sizes.entries)

    def prepare(name: str) -> Job:
        entries = sizes.slow_entries if name in _SLOW else sizes.entries
        own = name.startswith("handoff")
        return stand.projection_job(jurisdiction, entries, as_operator=not own, run=secrets.token_hex(4))

    return race(contestants, sizes.rounds, prepare, stand.progress)


def _findings(standings: Standings, own: str, peers: dict[str, tuple[str, Aim]]) -> Iterator[Measurement]:
    yield Measurement("Handoff", standings.rate(own), "events/s")
    for name, (title, aim) in peers.items():
        yield Measurement(title, standings.rate(name), "events/s")
        yield Measurement(f"Handoff ÷ {title}", standings.ratio(own, name), "times", aim)
