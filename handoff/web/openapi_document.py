"""The OpenAPI 3.1 document of an API.

FastAPI describes the query routes. The command catalogue describes the command routes. The problems that an operation
can return follow from its method, path and parameters.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from handoff.domain.commands import RequestReferral
from handoff.package_data import schemas_path
from handoff.record import codec
from handoff.web.apis import ApiDefinition
from handoff.web.code_list import english_meanings
from handoff.web.command_routes import ID, CommandRoute
from handoff.web.context import BEARER
from handoff.web.openapi_links import add_links
from handoff.web.problems import MEDIA_TYPE, Problem, ProblemKind
from handoff.web.request_bodies import body_is_optional
from handoff.web.response_models import StoredCommand

Document = dict[str, Any]
Operation = dict[str, Any]

_NULL = {"type": "null"}
_REF = "#/components/schemas/{model}"


def describe(app: FastAPI, api: ApiDefinition) -> None:
    """Let ``app`` serve its document, which the first request for it builds."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, api)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def command_example(route: CommandRoute) -> dict[str, Any]:
    """Return a body that the command accepts, from the published example of the event that it makes."""
    event = codec.decode(schemas_path("examples", f"{route.command.makes.type}.json").read_bytes())
    fields = event.data.model_dump(mode="json", exclude_defaults=True)
    example = {name: value for name, value in fields.items() if name in route.command.model_fields}
    if issubclass(route.command, RequestReferral):
        example["basis"] = fields["basis"]["basis"]
    return example


def _document(app: FastAPI, api: ApiDefinition) -> Document:
    document: Document = get_openapi(title=api.title, version="1", description=api.description, routes=app.routes)
    commands = {route.path: {"post": _command_operation(route)} for route in api.commands}
    document["paths"] = commands | document["paths"]
    document["info"]["license"] = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
    document["servers"] = [{"url": "/", "description": "The node that serves this document"}]
    components = document["components"]
    sent = _responses(api) | components["schemas"]
    components["schemas"] = _with_meanings(
        _merged({name: _as_sent(schema) for name, schema in sent.items()}, _bodies(api))
    )
    statuses = dict.fromkeys(kind.status.value for kind in api.problems)
    components["responses"] = {f"Problem{status}": _problem_response(status, api.problems) for status in statuses}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
            operation["responses"].pop("422", None)
            for status in tuple(_problem_statuses(method, path, operation, api)):
                operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
            # Stated, because an operation without the list has the security of the whole document.
            operation.setdefault("security", [])
    used = {response.get("$ref") for operation in _operations(document) for response in operation["responses"].values()}
    components["responses"] = {
        name: response for name, response in components["responses"].items() if f"#/components/responses/{name}" in used
    }
    document["tags"] = [{"name": tag} for tag in dict.fromkeys(t for o in _operations(document) for t in o["tags"])]
    add_links(document, api.commands)
    return document


def _operations(document: Document) -> Iterator[Operation]:
    """Yield the operations of a document."""
    for item in document["paths"].values():
        yield from item.values()


def _command_operation(route: CommandRoute) -> Operation:
    response = {"content": {"application/json": {"schema": {"$ref": _REF.format(model=StoredCommand.__name__)}}}}
    responses = {
        "202": {"description": "Stored: it survives a crash and will be sent", **response},
        "200" if route.location is None else "201": {
            "description": "On the record and effective",
            **response,
        },
    }
    path_parameters = [
        {"name": name, "in": "path", "required": True, "schema": ID.json_schema()} for name in route.path_parameters
    ]
    headers = [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.description,
            "schema": header.form.json_schema(),
        }
        for header in route.headers
    ]
    body = {"schema": {"$ref": _REF.format(model=route.command.__name__)}, "example": command_example(route)}
    return {
        "tags": [route.tag],
        "summary": (route.command.__doc__ or "").partition(";")[0].strip().rstrip("."),
        "operationId": route.operation_id,
        "security": [{BEARER.scheme_name: []}],
        "parameters": [*path_parameters, *headers],
        "requestBody": {"required": not body_is_optional(route.command), "content": {"application/json": body}},
        "responses": responses,
    }


def _responses(api: ApiDefinition) -> dict[str, Any]:
    """Return the schemas of problems and of responses to commands, which FastAPI does not know."""
    models: list[type[BaseModel]] = [Problem, *([StoredCommand] if api.commands else [])]
    return _described((model, "serialization") for model in models)


def _bodies(api: ApiDefinition) -> dict[str, Any]:
    """Return the schemas of commands and of other request bodies."""
    models = dict.fromkeys((*api.bodies, *(route.command for route in api.commands)))
    schemas = _described((model, "validation") for model in models)
    return {name: _as_requested(schema) for name, schema in schemas.items()}


def _described(models: Iterable[tuple[type[BaseModel], JsonSchemaMode]]) -> dict[str, Any]:
    _, definitions = models_json_schema(tuple(models), ref_template=_REF)
    schemas: dict[str, Any] = definitions.get("$defs", {})
    return schemas


def _as_requested(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a request body, with its defaults in words.

    Generators take a property with a ``default`` for one that always has a value, so that callers had to give it.
    """
    properties = schema.get("properties", {})
    return {**schema, "properties": {n: _default_in_words(p) for n, p in properties.items()}} if properties else schema


def _default_in_words(schema: dict[str, Any]) -> dict[str, Any]:
    default, without = schema.get("default"), _without_default(schema)
    if default is None:
        return without
    words = f"If left out: `{default if isinstance(default, str) else json.dumps(default)}`"
    return without | {"description": f"{schema['description']}. {words}" if "description" in schema else words}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "default"}


def _as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a model in a response, where a field without a value is left out."""
    properties = schema.get("properties", {})
    absent = {name for name, value in properties.items() if _NULL in value.get("anyOf", ())}
    if not properties:
        return schema
    return {
        **schema,
        "properties": {name: _without_default(_without_null(value)) for name, value in properties.items()},
        "required": [name for name in schema.get("required", ()) if name not in absent],
    }


def _merged(described: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    for name in described.keys() & added.keys():
        if any(described[name].get(part) != added[name].get(part) for part in ("enum", "description")):
            raise LookupError(f"two models have the name {name} in one OpenAPI document: rename one of them")
    schemas = described | added
    return {name: schemas[name] for name in sorted(schemas) if "ValidationError" not in name}


def _with_meanings(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas with the meaning of each code: for people in the description, for tools as an extension."""
    for name, schema in schemas.items():
        if "enum" not in schema:
            continue
        meanings = {code: english_meanings()[name][code] for code in schema["enum"]}
        lines = (f"- `{code}`: {meaning}" for code, meaning in meanings.items())
        schema["description"] = "\n".join((schema["description"], "", *lines))
        schema["x-enumDescriptions"] = meanings
    return schemas


def _problem_response(status: int, kinds: tuple[ProblemKind, ...]) -> dict[str, Any]:
    same = [kind for kind in kinds if kind.status == status]
    return {
        "description": "; ".join(kind.title for kind in same),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": _REF.format(model=Problem.__name__)},
                "examples": {kind.code: {"value": kind.problem().model_dump(exclude_defaults=True)} for kind in same},
            }
        },
    }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that is left out where there is none, and never null."""
    plain = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    choices = [choice for choice in schema.get("anyOf", ()) if choice != _NULL]
    return plain | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


def _problem_statuses(method: str, path: str, operation: Operation, api: ApiDefinition) -> Iterator[int]:
    """Yield the statuses of the problems that an operation can return."""
    parameters = operation.get("parameters", ())
    # A route names the problems of its own without a schema; they have the same one.
    yield from (
        int(status)
        for status, response in operation["responses"].items()
        if status >= "400" and response.keys() == {"description"}
    )
    # Headers and parameters that occur twice are refused on every path.
    yield from (400, 422)
    if any(parameter["in"] == "path" for parameter in parameters):
        yield 404
    if "security" not in operation:
        return
    yield from (401, 503)
    for parameter in parameters:
        yield from (kind.status.value for kind in api.header_problems.get(parameter["name"], ()))
    if method == "post":
        yield from (413, 415)
        if "202" in operation["responses"]:
            yield 409
            if "{referral}" in path:
                yield 412
