"""Check the history of an installation. Exit code 0 without findings, 1 otherwise."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from history_checker.answered_commands import read_answered_commands
from history_checker.collector import collect_snapshot
from history_checker.report import build_report


def main() -> int:
    """Collect a snapshot of the installation, check it, print the report."""
    parser = argparse.ArgumentParser(prog="python -m history_checker", description=__doc__)
    parser.add_argument("directory", type=Path, help="state directory of `handoff up`")
    parser.add_argument("--answers", type=Path, help="log of answered commands, one JSON object per line")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    answered = read_answered_commands(arguments.answers) if arguments.answers is not None else ()
    report = build_report(asyncio.run(collect_snapshot(arguments.directory, answered)))
    sys.stdout.write(json.dumps(report.document(), indent=2) if arguments.json else "\n".join(report.lines()))
    sys.stdout.write("\n")
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
