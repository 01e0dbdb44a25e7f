"""Folded state to JSON bytes and back, so that a node, the exchange and the projection can keep it."""

from functools import lru_cache
from typing import Any

from msgspec import json
from pydantic import BaseModel

from handoff.domain.case import Case
from handoff.domain.directory import Directory


def _as_document(said: Any) -> Any:
    """A part of an event that the state keeps as it was said."""
    if isinstance(said, BaseModel):
        return said.model_dump(mode="json")
    raise NotImplementedError(f"no state holds a {type(said).__name__}")


def _as_said(kind: Any, document: Any) -> Any:
    return kind.model_validate(document)


_ENCODER = json.Encoder(enc_hook=_as_document)
_CASE = json.Decoder(Case)
_DIRECTORY = json.Decoder(Directory, dec_hook=_as_said)


def dump_case(case: Case) -> bytes:
    """JSON of a case; equal states give equal bytes."""
    return _ENCODER.encode(case)


def load_case(raw: bytes) -> Case:
    """The case in ``raw``."""
    return _CASE.decode(raw)


def dump_directory(directory: Directory) -> bytes:
    """JSON of a directory; members keep the order of their admission."""
    return _ENCODER.encode(directory)


# The directory changes a few times a year and is loaded for every command.
@lru_cache(maxsize=4)
def load_directory(raw: bytes) -> Directory:
    """The directory in ``raw``."""
    return _DIRECTORY.decode(raw)
