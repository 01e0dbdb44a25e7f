"""The published OpenAPI documents, and how the committed files stand.

``python -m handoff.web.openapi --check`` fails where the files differ from the code; ``--write`` brings them up to
date.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from handoff.web.app import Routes, create_app

ROOT = Path(__file__).parents[2] / "schemas" / "openapi"


class NoDesk:
    """Stands where a description is made and nothing is asked of a node."""

    def __getattr__(self, name: str) -> NoReturn:
        raise LookupError(f"a description does not call {name}")


def document(routes: Routes) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an API."""
    return create_app(NoDesk(), member="", token="", routes=routes).openapi()


def documents() -> Mapping[str, str]:
    """File name → text, as the code has it now; the audit's stands beside its routes."""
    return {f"{routes}.json": text(document(routes)) for routes in ("agency", "coordination")}


def text(content: Mapping[str, Any]) -> str:
    """A document as it is committed."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def differences(said: Mapping[str, str] | None = None, root: Path = ROOT) -> tuple[str, ...]:
    """The files below ``root`` that are not what the code says."""
    return tuple(name for name, written in (said or documents()).items() if not _holds(root / name, written))


def _holds(path: Path, written: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == written


def write(said: Mapping[str, str], root: Path = ROOT) -> None:
    """Brings the files below ``root`` up to date."""
    root.mkdir(parents=True, exist_ok=True)
    for name, written in said.items():
        (root / name).write_text(written, encoding="utf-8")


def main(arguments: list[str], said: Mapping[str, str]) -> int:
    """The exit status: 1 where a file differs, 2 where nothing sensible was asked."""
    if arguments == ["--write"]:
        write(said)
        return 0
    if arguments != ["--check"]:
        sys.stderr.write("usage: --check|--write\n")
        return 2
    found = differences(said)
    sys.stderr.writelines(f"schemas/openapi/{name}: differs\n" for name in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], documents()))
