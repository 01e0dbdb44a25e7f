"""Links of an OpenAPI document: each thing that a command creates is used by the operations on it.

Tools that follow links, test generators among them, reach these operations with ids that exist.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handoff.domain.commands import RecordBasis, RequestReferral
from handoff.web.command_routes import CommandRoute

_CREATED: Mapping[str, str] = {"/cases": "case", "/cases/{case}/bases": "basis", "/cases/{case}/referrals": "referral"}
"""Path of a command that creates something → the path parameter that takes its id."""
_PARAMETER = re.compile(r"\{(\w+)\}")


def add_links(document: dict[str, Any], commands: Iterable[CommandRoute]) -> None:
    """Add a link to each operation on a thing, to every response after which the thing exists."""
    paths = {route.command: route.path for route in commands}
    links: dict[str, Any] = {}
    for path, created in _CREATED.items():
        if path not in paths.values():
            continue
        found = dict(_links(document, created))
        if path == paths[RecordBasis]:
            found["requestReferralOnBasis"] = _on_basis(document, paths[RequestReferral])
        links |= found
        referred = {name: {"$ref": f"#/components/links/{name}"} for name in found}
        for status in ("201", "202"):
            document["paths"][path]["post"]["responses"][status]["links"] = referred
    if links:
        document["components"]["links"] = links


def _links(document: dict[str, Any], created: str) -> Iterator[tuple[str, Any]]:
    for path, item in document["paths"].items():
        if _PARAMETER.findall(path)[-1:] != [created]:
            continue
        for operation in item.values():
            yield operation["operationId"], _link(path, operation)


def _on_basis(document: dict[str, Any], path: str) -> dict[str, Any]:
    link = _link(path, document["paths"][path]["post"])
    return {**link, "requestBody": {**link["requestBody"], "basis": "$response.body#/basis"}}


def _link(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Return the link to an operation; to one that creates something, with its example's fields other than instants."""
    ids = {name: f"$response.body#/{name}" for name in _PARAMETER.findall(path)}
    link = {"operationId": operation["operationId"], "parameters": ids}
    if path in _CREATED and "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        link["requestBody"] = {name: value for name, value in example.items() if not name.endswith("_at")}
    return link
