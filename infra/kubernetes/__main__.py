"""Print the manifests of a jurisdiction: `python -m infra.kubernetes infra/prizren.toml | kubectl apply -f -`."""

import json
import sys
from pathlib import Path

from handoff.config import ConfigurationError, jurisdiction_plan
from infra.kubernetes.manifests import manifests


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("usage: python -m infra.kubernetes PLAN.toml")
    try:
        plan = jurisdiction_plan(Path(arguments[0]))
    except ConfigurationError as error:
        sys.exit(str(error))
    json.dump({"apiVersion": "v1", "kind": "List", "items": list(manifests(plan))}, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
