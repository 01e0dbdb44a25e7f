"""Amounts of work: a full measurement, or a smoke test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Entries, rounds and seconds of one run."""

    rounds: int
    entries: int
    slow_entries: int
    growth: tuple[int, ...]
    bundles: tuple[int, ...]
    exchange: int
    node_seconds: float
    idle_seconds: float
    end_to_end_seconds: float
    rates: tuple[int, ...]


FULL = Sizes(
    rounds=3,
    entries=40_000,
    slow_entries=10_000,
    growth=(10_000, 100_000, 1_000_000),
    bundles=(10_000, 1_000_000),
    exchange=10_000,
    node_seconds=6,
    idle_seconds=30,
    end_to_end_seconds=30,
    rates=(50, 200),
)
QUICK = Sizes(
    rounds=1,
    entries=20_000,
    slow_entries=2_000,
    growth=(2_000, 6_000),
    bundles=(2_000, 20_000),
    exchange=2_000,
    node_seconds=1,
    idle_seconds=5,
    end_to_end_seconds=4,
    rates=(50,),
)
