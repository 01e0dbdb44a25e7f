"""Validation errors put into words that name the field and what is allowed, and never the value that was sent."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from handoff.web.problems import Fault

# A body of 16 KiB can have thousands of faults; nobody reads more than a screen of them.
_MOST = 20
_CODES = re.compile(r"'([^']*)'")

# pydantic's own sentences may quote a part of the value, so none of them is passed on.
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "extra_forbidden": "is not a field here",
        "enum": "is not one of the codes",
        "literal_error": "is not one of the codes",
        "uuid_parsing": "is not a UUID",
        "uuid_type": "is not a UUID",
        "string_pattern_mismatch": "does not have the form {pattern}",
        "greater_than_equal": "is less than {ge}",
        "less_than_equal": "is more than {le}",
        "less_than": "is not less than {lt}",
        "string_too_short": "is shorter than {min_length} characters",
        "string_too_long": "is longer than {max_length} characters",
        "timezone_aware": "is a time without a zone",
    }
)
_FALLBACK = "is not of the expected form"


def faults_in(error: ValidationError, model: type[BaseModel]) -> tuple[Fault, ...]:
    """What is wrong with a body that should have been a ``model``."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(_fault(detail, detail["loc"], model) for detail in details[:_MOST])


def faults_in_parameters(details: Sequence[Any]) -> tuple[Fault, ...]:
    """What is wrong with parameters in the path, the query or the headers."""
    return tuple(_fault(detail, detail["loc"][1:], None) for detail in details[:_MOST])


def _fault(detail: ErrorDetails, location: Sequence[int | str], model: type[BaseModel] | None) -> Fault:
    field = ".".join(str(part) for part in location) or "body"
    return Fault(field=field, problem=_sentence(detail), allowed=_allowed(detail, location, model))


def _sentence(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        # Raised by the record's own models, whose sentences state the rule alone.
        return detail["msg"].removeprefix("Value error, ")
    return _SENTENCES.get(detail["type"], _FALLBACK).format_map(detail.get("ctx", {}))


def _allowed(detail: ErrorDetails, location: Sequence[int | str], model: type[BaseModel] | None) -> tuple[str, ...]:
    if detail["type"] in {"enum", "literal_error"}:
        return tuple(_CODES.findall(detail.get("ctx", {}).get("expected", "")))
    if detail["type"] == "extra_forbidden" and model is not None:
        return tuple(_model_at(model, location[:-1]).model_fields)
    return ()


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    for part in location:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)
