"""The OpenAPI 3.1 description of an API: the routes' own, with the commands, the problems and examples written in."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from handoff.web.command_examples import command_examples
from handoff.web.problems import KINDS, MEDIA_TYPE, NODE_KINDS, Kind, Problem, problem
from handoff.web.submissions import AGENCY_PLACES, COORDINATION_PLACES, Place

Document = dict[str, Any]
Operation = dict[str, Any]

_TITLES = {
    "agency": "Handoff for an agency",
    "coordination": "Handoff for the coordinator",
    "audit": "Handoff for auditors",
}
_ABOUT = (
    "Referrals between the institutions of a Local Coordinating Mechanism. A command that is answered with success is "
    "stored and will reach the record; `Prefer: wait` also tells what the record made of it. No field for names, "
    "addresses, income or any other text exists."
)
_ABOUT_AUDIT = (
    "What the record says of a case, as it was at any moment, in codes, ids and times. Every read of a case is "
    "committed to the record's way, with its purpose, before the answer begins."
)
_PLACES: Mapping[str, tuple[Place, ...]] = {
    "agency": AGENCY_PLACES,
    "coordination": COORDINATION_PLACES,
    "audit": (),
}
_REF = "#/components/schemas/{model}"


def describe(app: FastAPI, routes: str) -> None:
    """Lets ``app`` serve its full description, made at the first question for it."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, routes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the document


def _document(app: FastAPI, routes: str) -> Document:
    about, kinds = (_ABOUT_AUDIT, KINDS) if routes == "audit" else (_ABOUT, NODE_KINDS)
    document = get_openapi(title=_TITLES[routes], version="1", description=about, routes=app.routes)
    components = document["components"]
    components["schemas"] = _merged(components["schemas"], _schemas(_PLACES[routes]))
    statuses = dict.fromkeys(kind.status.value for kind in kinds.values())
    components["responses"] = {f"Problem{status}": _problem_response(status, kinds) for status in statuses}
    bodies = command_examples()
    for method, path, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
        _add_problems(method, path, operation)
        _add_example(operation, bodies.get(operation["operationId"]))
    return document


def _merged(answers: dict[str, Any], bodies: dict[str, Any]) -> dict[str, Any]:
    for name in answers.keys() & bodies.keys():
        if any(answers[name].get(part) != bodies[name].get(part) for part in ("enum", "description")):
            raise LookupError(f"an answer and a body have different models of the name {name}")
    return {name: schema for name, schema in (answers | bodies).items() if "ValidationError" not in name}


def _schemas(places: tuple[Place, ...]) -> dict[str, Any]:
    models: list[type[BaseModel]] = [Problem, *dict.fromkeys(place.command for place in places)]
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _problem_response(status: int, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    codes = [code for code, kind in kinds.items() if kind.status == status]
    return {
        "description": "; ".join(kinds[code].title for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": _REF.format(model="Problem")},
                "examples": {code: {"value": problem(code).model_dump(exclude_defaults=True)} for code in codes},
            }
        },
    }


def _operations(document: Document) -> Iterator[tuple[str, str, Operation]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # A parameter is left out, never null.
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    kept = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**kept, **choices[0]}


def _add_problems(method: str, path: str, operation: Operation) -> None:
    operation["responses"].pop("422", None)
    for status in _problems_of(method, path, operation):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}


def _problems_of(method: str, path: str, operation: Operation) -> Iterator[int]:
    parameters = operation.get("parameters", ())
    if any(parameter["in"] == "path" for parameter in parameters):
        yield 404
    if "security" not in operation:
        return
    yield from (401, 422, 503)
    if any(parameter["name"] == "Read-Purpose" for parameter in parameters):
        yield from (400, 428)
    if method == "post":
        yield from (400, *((409,) if "202" in operation["responses"] else ()), 413, 415)
    if method == "post" and "{referral}" in path:
        yield 412


def _add_example(operation: Operation, example: dict[str, Any] | None) -> None:
    if example is not None and "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["example"] = example
