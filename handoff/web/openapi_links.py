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
    links: dict[str, Any] = {}
    for route in commands:
        created = _CREATED.get(route.path)
        if created is None:
            continue
        found = dict(_links(document, created))
        if route.command is RecordBasis:
            found["requestReferralOnBasis"] = _on_basis(commands)
        links |= found
        referred = {name: {"$ref": f"#/components/links/{name}"} for name in found}
        for status in ("201", "202"):
            document["paths"][route.path]["post"]["responses"][status]["links"] = referred
    if links:
        document["components"]["links"] = links


def _links(document: dict[str, Any], created: str) -> Iterator[tuple[str, Any]]:
    for path, item in document["paths"].items():
        named = _PARAMETER.findall(path)
        if named[-1:] != [created]:
            continue
        for operation in item.values():
            name = operation["operationId"]
            yield name, {"operationId": name, "parameters": {one: f"$response.body#/{one}" for one in named}}


def _on_basis(commands: Iterable[CommandRoute]) -> dict[str, Any]:
    (route,) = (one for one in commands if one.command is RequestReferral)
    return {
        "operationId": route.operation_id,
        "parameters": {"case": "$response.body#/case"},
        "requestBody": {"basis": "$response.body#/basis"},
    }
