"""The checker as a command: `python -m history_checker STATE_DIRECTORY [--answers FILE] [--json]`.

Exit code 0 if nothing is amiss, 1 otherwise.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from history_checker.answers import read_answers
from history_checker.gathering import gather
from history_checker.report import report


def main() -> int:
    """Gathers, checks, prints."""
    arguments = argparse.ArgumentParser(prog="python -m history_checker", description=__doc__)
    arguments.add_argument("directory", type=Path, help="the state directory of `handoff up`")
    arguments.add_argument("--answers", type=Path, help="the log of answered commands that the load wrote")
    arguments.add_argument("--json", action="store_true", help="for programs")
    asked = arguments.parse_args()
    answered = read_answers(asked.answers) if asked.answers is not None else ()
    found = report(asyncio.run(gather(asked.directory, answered)))
    sys.stdout.write(json.dumps(found.document(), indent=2) if asked.json else "\n".join(found.lines()))
    sys.stdout.write("\n")
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
