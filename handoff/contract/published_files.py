"""The published contract of the record below ``schemas/``: schemas, examples, code list and the AsyncAPI document.

``python -m handoff.contract.published_files --check`` fails if a file differs from the code. ``--write`` updates the
files, but refuses to change the meaning of a published version. ``--rebase`` updates them regardless, which is allowed
before release 0.2.0 only. ``handoff.contract.openapi`` does the same for OpenAPI documents.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handoff.contract import asyncapi, code_list
from handoff.contract.compatibility import incompatibilities
from handoff.contract.examples import examples
from handoff.contract.json_schema import schemas
from handoff.package_data import schemas_path
from handoff.record.codec import encode
from handoff.record.upcasting import UPCASTERS
from handoff.release import RELEASE

ROOT = schemas_path()
FINAL_SINCE = (0, 2)
"""First release whose published versions never change."""

_EVENTS = "events/"
_EXAMPLES = "examples/"
_DOCUMENTS = {"asyncapi.json": asyncapi.document, "codes.json": code_list.document}
"""Documents that follow from the code; no reader of the record depends on them."""

Files = Mapping[str, str]
"""Path below ``schemas/`` → text."""


def contract() -> Files:
    """Return every file of the contract as generated from the code.

    Examples of superseded versions are not generated: nothing writes these versions any more.
    """
    return {
        **{f"{_EVENTS}{event_type}.json": _text(schema) for event_type, schema in schemas().items()},
        **{f"{_EXAMPLES}{event_type}.json": encode(event).decode() for event_type, event in examples().items()},
        **{name: _text(document()) for name, document in _DOCUMENTS.items()},
    }


def differences(committed: Files, current: Files) -> tuple[str, ...]:
    """Return the paths of committed files that differ from the code. Examples of superseded versions are kept."""
    kept = {f"{_EXAMPLES}{event_type}.json" for event_type in UPCASTERS}
    paths = sorted((committed.keys() | current.keys()) - (kept - current.keys()))
    return tuple(path for path in paths if committed.get(path) != current.get(path))


def breaks(committed: Files, current: Files) -> Iterator[str]:
    """Yield each change from ``committed`` to ``current`` that a reader cannot handle, with its path."""
    for path in differences(committed, current):
        if path not in committed or path in _DOCUMENTS:
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
    """Return the contract's files below ``root``."""
    paths = [*root.glob(f"{_EVENTS}*.json"), *root.glob(f"{_EXAMPLES}*.json"), *(root / name for name in _DOCUMENTS)]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def check(root: Path = ROOT) -> tuple[str, ...]:
    """Return the problems of the files below ``root``: first the breaks, then each path that differs."""
    committed, current = committed_files(root), contract()
    return *breaks(committed, current), *(f"{path}: differs" for path in differences(committed, current))


def write(root: Path = ROOT, *, accept_breaks: bool = False) -> tuple[str, ...]:
    """Update the files below ``root``, or return the breaks that prevent it, unless they are accepted."""
    committed, current = committed_files(root), contract()
    found = () if accept_breaks else tuple(breaks(committed, current))
    for path in () if found else differences(committed, current):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path in current:
            (root / path).write_text(current[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return found


def rebase(root: Path = ROOT, *, release: str | None = None) -> tuple[str, ...]:
    """Update the files below ``root``, breaks included; return why not since published versions are final."""
    release = release or RELEASE
    if tuple(int(part) for part in release.split(".")[:2]) >= FINAL_SINCE:
        return (f"cannot rebase in release {release}: published versions are final; add a new version of the type",)
    return write(root, accept_breaks=True)


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 if something is wrong, 2 for wrong arguments."""
    verbs = {"--check": check, "--write": write, "--rebase": rebase}
    if len(arguments) != 1 or arguments[0] not in verbs:
        sys.stderr.write("usage: python -m handoff.contract.published_files --check|--write|--rebase\n")
        return 2
    wrong = verbs[arguments[0]]()
    sys.stderr.writelines(f"schemas/{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
