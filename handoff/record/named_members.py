"""Ids of members that an event names, wherever in its body."""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from handoff.record.events.base import NamesMember


def named_members(body: BaseModel) -> Iterator[str]:
    """Yield every member id in ``body``."""
    fields, models = _fields(type(body))
    for name in fields:
        named = getattr(body, name)
        if isinstance(named, tuple):
            yield from named
        elif named is not None:
            yield named
    for name in models:
        inner = getattr(body, name)
        for part in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(part, BaseModel):
                yield from named_members(part)


@cache
def _fields(model: type[BaseModel]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields that have a member id, and those that have models."""
    members = (
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, NamesMember) for mark in (*field.metadata, *_marks(field.annotation)))
    )
    models = (name for name, field in model.model_fields.items() if any(_models(field.annotation)))
    return tuple(members), tuple(models)


def _marks(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _marks(argument)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
