"""What the OpenAPI document of the audit has beside what its routes say themselves."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from handoff.audit.api.receipt_routes import Wanted

_REF = "#/components/schemas/{model}"


def describe_bodies(app: FastAPI) -> None:
    """Writes the models of bodies that the routes read for themselves into the document that ``app`` serves."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        _, definitions = models_json_schema([(Wanted, "validation")], ref_template=_REF)
        document["components"]["schemas"] |= definitions["$defs"]
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the document
