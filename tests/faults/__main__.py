"""Inject faults into a jurisdiction under load and check its history. Exit code 1 if a promise is broken."""

import argparse
import json
import sys
from pathlib import Path

from tests.faults.disk import with_private_mounts
from tests.faults.fault_run import FaultRunOptions, run_faults


def main() -> int:
    """Run the faults, print the table and the report of the history checker."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=20, help="number of faults")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--only", default="", help="inject only kinds whose name contains this text")
    parser.add_argument("--seed", type=int, default=1, help="seed of the load")
    parser.add_argument("--json", type=Path, help="write every figure to this file as JSON")
    parser.add_argument("--keep", type=Path, help="keep the state directory here, without the database")
    arguments = parser.parse_args()
    with_private_mounts()
    options = FaultRunOptions(arguments.faults, arguments.seed, arguments.brokers, arguments.only)
    result = run_faults(options, lambda line: print(line, flush=True), arguments.keep)  # noqa: T201 - a command
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result.document(), indent=2))
    sys.stdout.write("\n".join((*result.lines(), *result.report.lines())) + "\n")
    return 0 if result.report.holds and result.became_idle else 1


if __name__ == "__main__":
    sys.exit(main())
