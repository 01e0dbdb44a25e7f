"""The OpenAPI documents that are committed below ``schemas/openapi``.

``python -m handoff.contract.openapi --check`` fails if a file differs from the code; ``--write`` updates the files.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from handoff.audit.api.definition import AUDIT_API
from handoff.audit.routes import AuditParts, add_audit_routes
from handoff.package_data import schemas_path
from handoff.record.envelope import Source
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.app import create_app

ROOT = schemas_path("openapi")


class UnusedDesk:
    """A desk for an application that is described and never called."""

    def __getattr__(self, name: str) -> NoReturn:
        raise LookupError(f"cannot call {name} of the desk: this application is only described")


def document(api: ApiDefinition) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a node's API."""
    return create_app(UnusedDesk(), member="", token="", api=api).openapi()


def audit_document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the audit's API, without its pages."""
    unused: Any = None
    app = create_app(UnusedDesk(), member="audit", token="", api=AUDIT_API)
    source = Source("prizren", 1, "audit")
    parts = AuditParts(source, token="", desk=UnusedDesk(), own=unused, timeline=unused, timeline_settings=unused)
    add_audit_routes(app, parts)
    return app.openapi()


def documents() -> Mapping[str, str]:
    """File name → text, from the code."""
    generated = {
        "agency.json": document(AGENCY_API),
        "coordination.json": document(COORDINATION_API),
        "audit.json": audit_document(),
    }
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in generated.items()}


def differences(generated: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the committed files that are missing or differ from ``generated``."""
    return tuple(
        name
        for name, content in generated.items()
        if not (ROOT / name).exists() or (ROOT / name).read_text(encoding="utf-8") != content
    )


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 if a file differs, 2 for wrong arguments."""
    if arguments not in (["--check"], ["--write"]):
        sys.stderr.write("usage: python -m handoff.contract.openapi --check|--write\n")
        return 2
    generated = documents()
    if arguments == ["--write"]:
        for name, content in generated.items():
            (ROOT / name).write_text(content, encoding="utf-8")
        return 0
    different = differences(generated)
    sys.stderr.writelines(f"schemas/openapi/{name}: differs from the code; run: make generate\n" for name in different)
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
