"""Encoding of folded state as JSON, in which node, exchange and projection store it."""

from functools import lru_cache
from typing import Any

from msgspec import json
from pydantic import BaseModel

from handoff.domain.case import Case
from handoff.domain.directory import Directory


def _encode_model(value: Any) -> Any:
    """Encode a part of an event that the state holds unchanged, such as a deadline."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"cannot encode a {type(value).__name__} as state")


def _decode_model(kind: Any, document: Any) -> Any:
    return kind.model_validate(document)


_ENCODER = json.Encoder(enc_hook=_encode_model)
_CASE = json.Decoder(Case)
_DIRECTORY = json.Decoder(Directory, dec_hook=_decode_model)


def dump_case(case: Case) -> bytes:
    """Return the JSON of a case. Equal states have equal bytes."""
    return _ENCODER.encode(case)


def load_case(raw: bytes) -> Case:
    """Return the case in ``raw``."""
    return _CASE.decode(raw)


def dump_directory(directory: Directory) -> bytes:
    """Return the JSON of a directory. Members keep the order of admission."""
    return _ENCODER.encode(directory)


# The directory changes a few times a year and is loaded for each command.
@lru_cache(maxsize=4)
def load_directory(raw: bytes) -> Directory:
    """Return the directory in ``raw``."""
    return _DIRECTORY.decode(raw)
