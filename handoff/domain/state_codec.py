"""Folded state to JSON bytes and back, so that a node, the exchange and the projection can keep it."""

from functools import lru_cache

from pydantic import TypeAdapter

from handoff.domain.case import Case
from handoff.domain.directory import Directory

_CASE: TypeAdapter[Case] = TypeAdapter(Case)
_DIRECTORY: TypeAdapter[Directory] = TypeAdapter(Directory)


def dump_case(case: Case) -> bytes:
    """JSON of a case; equal states give equal bytes."""
    return _CASE.dump_json(case)


def load_case(raw: bytes) -> Case:
    """The case in ``raw``."""
    return _CASE.validate_json(raw)


def dump_directory(directory: Directory) -> bytes:
    """JSON of a directory; members keep the order of their admission."""
    return _DIRECTORY.dump_json(directory)


# The directory changes a few times a year and is loaded for every command.
@lru_cache(maxsize=4)
def load_directory(raw: bytes) -> Directory:
    """The directory in ``raw``."""
    return _DIRECTORY.validate_json(raw)
