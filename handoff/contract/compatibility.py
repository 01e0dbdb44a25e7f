"""Comparison of two schemas of one published version.

Two readers depend on a version. A later release reads every document that was ever recorded, so nothing may be
narrowed. An earlier release refuses fields and codes that it does not know, so nothing may be widened, not even by an
optional field. A change of either kind needs a new version of the type.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples"})


def incompatibilities(old: Schema, new: Schema) -> tuple[str, ...]:
    """Return each change from ``old`` to ``new`` that a reader cannot handle, with its path. Texts do not count."""
    return tuple(_changes("", _inlined(old, old), _inlined(new, new)))


def _inlined(schema: Any, root: Schema) -> Any:
    """Return ``schema`` with its references resolved, so that renaming a model is no change."""
    if isinstance(schema, list):
        return [_inlined(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name:
        return _inlined({**root["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}, root)
    return {keyword: _inlined(value, root) for keyword, value in schema.items()}


def _changes(path: str, old: Schema, new: Schema) -> Iterator[str]:
    yield from _differences(path, "property", old.get("properties", {}), new.get("properties", {}))
    yield from _differences(path, "required property", old.get("required", ()), new.get("required", ()))
    if "enum" in old and "enum" in new:
        yield from _differences(path, "code", old["enum"], new["enum"])
    for name, before in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _changes(f"{path}.{name}".lstrip("."), before, new["properties"][name])
    for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS - {"properties", "required"}):
        yield from _keyword_changes(path, keyword, old.get(keyword), new.get(keyword))


def _keyword_changes(path: str, keyword: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _changes(f"{path}[]", old, new)
    elif keyword == "anyOf" and old and new and len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            yield from _changes(path, before, after)
    elif old != new and not (keyword == "enum" and old and new):
        yield f"{path or 'event'}: {keyword} was {old} and is {new}"


def _differences(path: str, kind: str, old: Any, new: Any) -> Iterator[str]:
    yield from (f"{path or 'event'}: {kind} {name} is gone" for name in old if name not in new)
    yield from (f"{path or 'event'}: {kind} {name} is new" for name in new if name not in old)
