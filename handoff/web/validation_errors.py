"""Validation errors as problems: each names the field and the allowed values, and never repeats the value sent."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from handoff.web.problems import HEADER_MALFORMED, NOT_VALID, Fault, ProblemError

# A body of 16 KiB can have thousands of faults; a screen of them is enough to correct it.
_MAX_FAULTS = 20
_CODES = re.compile(r"'([^']*)'")

# pydantic's own messages may quote part of the value, so none of them is returned.
_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "extra_forbidden": "is not a field of this object",
        "enum": "is not one of the codes",
        "literal_error": "is not one of the codes",
        "uuid_spelling": "is not a UUID of 36 lower-case characters",
        "uuid_parsing": "is not a UUID",
        "uuid_type": "is not a UUID",
        "string_pattern_mismatch": "does not match the pattern {pattern}",
        "greater_than_equal": "is less than {ge}",
        "less_than_equal": "is greater than {le}",
        "less_than": "is not less than {lt}",
        "string_too_short": "is shorter than {min_length} characters",
        "string_too_long": "is longer than {max_length} characters",
        "timezone_aware": "is a time without a zone",
    }
)
_DEFAULT_MESSAGE = "does not have the expected form"


def invalid_body(error: ValidationError, model: type[BaseModel]) -> ProblemError:
    """Return the problem of a body that does not validate as ``model``."""
    details = error.errors(include_url=False, include_input=False)
    return NOT_VALID.error(**_members([_fault(detail, detail["loc"], model) for detail in details[:_MAX_FAULTS]]))


def invalid_field(field: str, problem: str) -> ProblemError:
    """Return the problem of a body whose field has the right form and makes no sense."""
    return NOT_VALID.error(**_members([Fault(field=field, problem=problem)]))


def invalid_parameters(details: Sequence[Any]) -> ProblemError:
    """Return the problem of parameters in the path, the query or the headers; each ``loc`` begins with the place."""
    kind = HEADER_MALFORMED if any(detail["loc"][0] == "header" for detail in details) else NOT_VALID
    return kind.error(**_members([_fault(detail, detail["loc"][1:], None) for detail in details[:_MAX_FAULTS]]))


def parse_parameter(form: TypeAdapter[Any], text: str, place: str, name: str) -> Any:
    """Return the value of a parameter. Raises the problem that names it."""
    try:
        return form.validate_python(text)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise invalid_parameters([{**detail, "loc": (place, name)} for detail in details]) from None


def _members(faults: Sequence[Fault]) -> dict[str, Any]:
    return {"detail": f"{faults[0].field} {faults[0].problem}.", "faults": tuple(faults)}


def _fault(detail: ErrorDetails, location: Sequence[int | str], model: type[BaseModel] | None) -> Fault:
    kind, context = detail["type"], detail.get("ctx", {})
    # A value_error is raised by the record's own models, whose messages state the rule alone.
    is_rule = kind == "value_error"
    message = detail["msg"].removeprefix("Value error, ") if is_rule else _MESSAGES.get(kind, _DEFAULT_MESSAGE)
    allowed: tuple[str, ...] = ()
    if kind in {"enum", "literal_error"}:
        allowed = tuple(_CODES.findall(context.get("expected", "")))
    elif kind == "extra_forbidden" and model is not None:
        allowed = tuple(_model_at(model, location[:-1]).model_fields)
    field = ".".join(str(part) for part in location) or "body"
    return Fault(field=field, problem=message if is_rule else message.format_map(context), allowed=allowed)


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """Return the model of the object at a location in a body."""
    for part in location:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the first model in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)
