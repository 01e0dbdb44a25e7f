"""Encoding of folded state as JSON, in which node, exchange and projection store it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from msgspec import json
from pydantic import BaseModel

from handoff.domain.case import Case, HoldPeriod, Step
from handoff.domain.directory import Directory
from handoff.domain.escalations import Escalation, Overdue


def _encode_model(value: Any) -> Any:
    """Encode a part of an event that the state holds unchanged, such as a deadline."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"cannot encode a {type(value).__name__} as state")


def _decode_model(kind: Any, document: Any) -> Any:
    return kind.model_validate(document)


T = TypeVar("T")
_ENCODER = json.Encoder(enc_hook=_encode_model)
_PAUSES = json.Decoder(tuple[HoldPeriod, ...])
_STEPS = json.Decoder(tuple[Step, ...])
_CASE = json.Decoder(Case)
_ESCALATION = json.Decoder(Escalation)
_OVERDUE = json.Decoder(Overdue)
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


def load_directory(raw: bytes) -> Directory:
    """Return the directory in ``raw``."""
    return _DIRECTORY.decode(raw)


def dump_escalation(escalation: Escalation) -> bytes:
    """Return the JSON of an escalation."""
    return _ENCODER.encode(escalation)


def load_escalation(raw: bytes) -> Escalation:
    """Return the escalation in ``raw``."""
    return _ESCALATION.decode(raw)


def dump_overdue(overdue: Overdue) -> bytes:
    """Return the JSON of a late step."""
    return _ENCODER.encode(overdue)


def load_overdue(raw: bytes) -> Overdue:
    """Return the late step in ``raw``."""
    return _OVERDUE.decode(raw)


def rows_of(changed: Mapping[UUID, T | None], dump: Callable[[T], bytes]) -> tuple[list[UUID], list[UUID], list[bytes]]:
    """Return the keys of rows to delete (None), and the keys and states of rows to write."""
    kept = {key: dump(state) for key, state in changed.items() if state is not None}
    return [key for key in changed if key not in kept], list(kept), list(kept.values())


def dump_pauses(pauses: tuple[HoldPeriod, ...]) -> str:
    """Return the JSON of the holds of a referral."""
    return _ENCODER.encode(pauses).decode()


def load_pauses(raw: str) -> tuple[HoldPeriod, ...]:
    """Return the holds in ``raw``."""
    return _PAUSES.decode(raw)


def dump_steps(steps: tuple[Step, ...]) -> str:
    """Return the JSON of the open steps of a referral."""
    return _ENCODER.encode(steps).decode()


def load_steps(raw: str) -> tuple[Step, ...]:
    """Return the open steps in ``raw``."""
    return _STEPS.decode(raw)
