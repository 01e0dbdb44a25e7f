"""`python -m bench`: run every benchmark on this machine and print the results as Markdown."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from bench.audit import audit
from bench.bundle import bundle
from bench.end_to_end import end_to_end
from bench.exchange import exchange
from bench.growth import growth
from bench.idle import idle
from bench.machine import machine
from bench.node import node
from bench.poison import poison
from bench.projection import append_only, projection
from bench.report import Chapter, markdown, put_figures
from bench.sizes import FULL, QUICK, Sizes
from bench.stand import Stand, standing

BENCHMARKS: dict[str, Callable[[Stand, Sizes], Chapter]] = {
    "projection": projection,
    "append": append_only,
    "exchange": exchange,
    "poison": poison,
    "node": node,
    "idle": idle,
    "end-to-end": end_to_end,
    "growth": growth,
    "audit": audit,
    "bundle": bundle,
}


def main() -> int:
    """Return the exit code: a missed target does not fail the run, a benchmark that does not run raises."""
    asked = _arguments()
    began = time.monotonic()

    def progress(sentence: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {sentence}", file=sys.stderr, flush=True)

    names = asked.only or list(BENCHMARKS)
    with standing(progress) as stand:
        found = list(machine(stand.directory))
        sizes = QUICK if asked.quick else FULL
        if asked.most is not None:
            sizes = replace(sizes, growth=tuple(size for size in sizes.growth if size <= asked.most))
        chapters = [BENCHMARKS[name](stand, sizes) for name in names]
    if asked.write is not None:
        put_figures(asked.write, markdown(found, chapters))
    if asked.json:
        print(json.dumps({"machine": dict(found), "chapters": [asdict(chapter) for chapter in chapters]}, indent=2))
    else:
        print(markdown(found, chapters))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="this benchmark alone; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a few seconds each: a smoke test, not a measurement")
    parser.add_argument("--most", type=int, metavar="ENTRIES", help="largest size of the benchmark growth")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    parser.add_argument("--json", action="store_true", help="JSON instead of Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
