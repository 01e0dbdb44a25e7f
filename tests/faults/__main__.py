"""The fault run as a command: `python -m tests.faults [N] [--seed S] [--json FILE] [--keep DIRECTORY]`."""

import argparse
import json
import sys
from pathlib import Path

from tests.faults.ordeal import run


def main() -> int:
    """Runs N faults and prints what came of it; exit code 1 if anything is amiss."""
    arguments = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    arguments.add_argument("faults", type=int, nargs="?", default=20)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--json", type=Path, help="where the figures are written")
    arguments.add_argument("--keep", type=Path, help="a directory in which everything stays")
    asked = arguments.parse_args()
    ordeal = run(asked.faults, lambda line: print(line, flush=True), asked.seed, asked.keep)  # noqa: T201 - a command
    if asked.json is not None:
        asked.json.write_text(json.dumps(ordeal.document(), indent=2))
    sys.stdout.write("\n".join((*ordeal.lines(), *ordeal.history.lines())) + "\n")
    return 0 if ordeal.history.holds and ordeal.came_to_rest else 1


if __name__ == "__main__":
    sys.exit(main())
