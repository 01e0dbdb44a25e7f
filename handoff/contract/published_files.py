"""The published contract of the record: schemas, AsyncAPI document and examples, and how the committed files stand.

``python -m handoff.contract.published_files --check`` fails where the files differ from the code; ``--write`` brings
them up to
date, but refuses to change what a published version means. OpenAPI documents are none of its business.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handoff.contract import asyncapi
from handoff.contract.compatibility import incompatibilities
from handoff.contract.examples import examples
from handoff.contract.json_schema import schemas
from handoff.package_data import schemas_path
from handoff.record.codec import encode
from handoff.record.upcasting import UPCASTERS

ROOT = schemas_path()
_EVENTS = "events/"
_EXAMPLES = "examples/"

Files = Mapping[str, str]
"""Path below ``schemas/`` → text."""


def contract() -> Files:
    """Every file of the contract as the code has it now."""
    return {
        **{f"{_EVENTS}{event_type}.json": _text(schema) for event_type, schema in schemas().items()},
        **{f"{_EXAMPLES}{event_type}.json": encode(event).decode() for event_type, event in examples().items()},
        "asyncapi.json": _text(asyncapi.document()),
    }


def differences(committed: Files, current: Files) -> tuple[str, ...]:
    """The paths at which the committed files are not what the code says; those of versions that are upcast stay."""
    paths = (path for path in sorted(committed.keys() | current.keys()) if committed.get(path) != current.get(path))
    return tuple(path for path in paths if path in current or _event_type(path) not in UPCASTERS)


def _event_type(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")


def breaks(committed: Files, current: Files) -> tuple[str, ...]:
    """What ``current`` would break for those who rely on ``committed``, with the path of each."""
    return tuple(_breaks(committed, current))


def _breaks(committed: Files, current: Files) -> Iterator[str]:
    for path in differences(committed, current):
        if path not in committed or path == "asyncapi.json":
            continue
        if path not in current:
            yield f"{path}: published, and gone"
        elif path.startswith(_EXAMPLES):
            yield f"{path}: a published example has changed"
        else:
            found = incompatibilities(json.loads(committed[path]), json.loads(current[path]))
            yield from (f"{path}: {change}" for change in found)


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def committed_files(root: Path = ROOT) -> Files:
    """The contract's files as they lie below ``root``."""
    paths = [*root.glob(f"{_EVENTS}*.json"), *root.glob(f"{_EXAMPLES}*.json"), *root.glob("asyncapi.json")]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def check(root: Path = ROOT) -> tuple[str, ...]:
    """What is wrong with the files below ``root``: breaks first, then every path that differs."""
    committed, current = committed_files(root), contract()
    return breaks(committed, current) + tuple(f"{path}: differs" for path in differences(committed, current))


def write(root: Path = ROOT) -> tuple[str, ...]:
    """The breaks that kept it from writing; none where the files below ``root`` are now the contract."""
    committed, current = committed_files(root), contract()
    found = breaks(committed, current)
    for path in () if found else differences(committed, current):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(current[path], encoding="utf-8")
    return found


def main(arguments: list[str]) -> int:
    """The exit status of ``--check`` or ``--write``: 1 where something is wrong, 2 where it was asked for nothing."""
    verbs = {"--check": check, "--write": write}
    if len(arguments) != 1 or arguments[0] not in verbs:
        sys.stderr.write("usage: python -m handoff.contract.published_files --check|--write\n")
        return 2
    wrong = verbs[arguments[0]]()
    sys.stderr.writelines(f"schemas/{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
