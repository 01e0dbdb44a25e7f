"""The fault run as a command; with --json it writes every figure, and the table for the document it prints."""

import argparse
import json
import sys
from pathlib import Path

from tests.faults.disk import with_own_mounts
from tests.faults.ordeal import Request, run


def main() -> int:
    """Runs the faults and prints what came of it; exit code 1 if anything is amiss."""
    arguments = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    arguments.add_argument("faults", type=int, nargs="?", default=20)
    arguments.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    arguments.add_argument("--only", default="", help="the kinds of fault whose names have this in them")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--json", type=Path, help="where the figures are written")
    arguments.add_argument("--keep", type=Path, help="a directory in which everything stays but the database")
    asked = arguments.parse_args()
    with_own_mounts()
    request = Request(asked.faults, asked.seed, asked.brokers, asked.only)
    ordeal = run(request, lambda line: print(line, flush=True), asked.keep)  # noqa: T201 - a command
    if asked.json is not None:
        asked.json.write_text(json.dumps(ordeal.document(), indent=2))
    sys.stdout.write("\n".join((*ordeal.lines(), *ordeal.history.lines())) + "\n")
    return 0 if ordeal.history.holds and ordeal.came_to_rest else 1


if __name__ == "__main__":
    sys.exit(main())
