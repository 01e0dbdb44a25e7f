"""The projection with all stages, and append only, against its peers."""

import secrets
from collections.abc import Callable, Iterator

from bench.contest import Job, Outcome
from bench.race import Standings, race
from bench.report import Aim, Chapter, Measurement
from bench.sizes import Sizes
from bench.stand import Stand

OWN = "handoff_projection"
APPEND = "handoff_append"
# Contestants that need far longer for an entry get fewer entries.
_LIMIT = "verify_limit"
_SLOW = frozenset({"faust_insert"})
_PEERS = {
    "faust_insert": ("Faust, one INSERT per event", Aim(9)),
    "faust_take": ("Faust take + COPY", Aim(3)),
    "quix_copy": ("quixstreams + COPY, same rules", Aim(1.5)),
    "quix_idiomatic": ("quixstreams + COPY, idiomatic", Aim(1)),
    _LIMIT: ("signatures alone, two threads", Aim(0.27)),
}
_APPENDING_PEERS = {
    "quix_append": ("quixstreams + COPY with json.loads", Aim(0.85)),
    "connect_append": ("Kafka Connect", Aim(2)),
}
_IN_SIGNATURES = Aim(3, at_most=True)


def projection(stand: Stand, sizes: Sizes) -> Chapter:
    """Decode, validate, verify, judge, chain, append, handoff rows, offset."""
    standings = _race(stand, sizes, [OWN, *_PEERS])
    signatures = Measurement(
        "CPU of process, child and database ÷ a signature", standings.cpu_ratio(OWN, _LIMIT), "times", _IN_SIGNATURES
    )
    findings = [*_findings(standings, OWN, _PEERS), signatures]
    return Chapter("projection", "Projection, everything on", findings, _REMARKS)


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
    yield from cpu_time(standings, own)
    for name, (title, aim) in peers.items():
        yield Measurement(title, standings.rate(name), "events/s")
        yield from cpu_time(standings, name)
        yield Measurement(f"Handoff ÷ {title}", standings.ratio(own, name), "times", aim)


def cpu_time(standings: Standings, name: str) -> Iterator[Measurement]:
    """CPU time for an event of a contestant, of its children if it has any, and of its database's sessions."""
    parts: tuple[tuple[str, Callable[[Outcome], float]], ...] = (
        ("process", lambda outcome: outcome.cpu_us),
        ("children", lambda outcome: outcome.child_us),
        ("database", lambda outcome: outcome.database_us),
    )
    for part, figure in parts:
        spread = standings.spread(name, figure)
        if part == "process" or spread.greatest >= 1:
            yield Measurement(f"- CPU of its {part}", spread, "µs an event")


_REMARKS = (
    "*Same rules*: the product's own parsing, verification, judgement and rows, called in the peer's framework.",
    "*Idiomatic*: `json.loads`, one PyNaCl call, a state in RocksDB, six columns; no strict parsing, verdict or hash.",
)
