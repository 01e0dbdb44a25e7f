"""Print the manifests of a jurisdiction: `python -m infra.kubernetes infra/prizren.toml | kubectl apply -f -`.

With the id of a process, print that process alone, for the institution that runs it.
"""

import json
import sys
from pathlib import Path

from handoff.config import ConfigurationError, jurisdiction_plan
from infra.kubernetes.manifests import manifests, process_manifests


def main(arguments: list[str]) -> None:
    if len(arguments) not in {1, 2}:
        sys.exit("usage: python -m infra.kubernetes PLAN.toml [PROCESS]")
    try:
        plan = jurisdiction_plan(Path(arguments[0]))
    except ConfigurationError as error:
        sys.exit(str(error))
    try:
        items = list(manifests(plan) if len(arguments) == 1 else process_manifests(plan, arguments[1]))
    except LookupError:
        sys.exit(f"{arguments[0]} has no process {arguments[1]}")
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
