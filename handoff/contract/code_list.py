"""The code list: the meaning of each code in every language, and the codes that each service allows.

Generated from the closed lists, the tables of the rules and the catalogues of the pages. It ships as package data, so
that a node answers `GET /codes` from it and describes the codes in its OpenAPI document.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from inspect import cleandoc
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from handoff.domain import allowances, handoff_clock, lifecycle
from handoff.judging.verdict_statement import VerdictComparison
from handoff.record import codes
from handoff.record.codes import CaseService
from handoff.record.delivery import VerdictKind
from handoff.record.events import CATALOGUE
from handoff.record.events.base import ReferralBody
from handoff.record.events.directory import CAPACITY_UNITS
from handoff.record.events.referral import ReferralFailed, ReferralVoided
from handoff.views import replay
from handoff.web.pages.translation import LANGUAGES, read_catalogue

_CATALOGUES = ("handoff.web.pages.locales", "handoff.audit.i18n")
"""Packages of catalogues: of codes of the record, and of codes of the audit's answers."""


def document() -> dict[str, Any]:
    """Return the content of ``schemas/codes.json``."""
    return {
        "vocabularies": {
            vocabulary.__name__: {
                "description": cleandoc(vocabulary.__doc__ or ""),
                "codes": _meanings(vocabulary.__name__, [code.value for code in vocabulary]),
            }
            for vocabulary in (*record_vocabularies(), *answer_vocabularies())
        },
        "events": _meanings("Event", sorted({body.name() for body in CATALOGUE.values()})),
        "services": {
            service.value: {
                "purposes": _in_order(codes.ReleasePurpose, allowances.PURPOSES[service]),
                "refusals": _in_order(codes.RejectionCode, allowances.REJECTIONS[service]),
                "starts": _in_order(codes.StartKind, allowances.STARTS[service]),
                "holds": _in_order(codes.HoldCode, allowances.HOLDS[service]),
                "capacity_units": _in_order(codes.CapacityUnit, CAPACITY_UNITS[service]),
                "outcomes": _in_order(codes.ServiceOutcome, allowances.OUTCOMES[service]),
            }
            for service in CaseService
        },
        "roles": {
            role.value: {
                "failures": _of_role(ReferralFailed, role, codes.FailureCode),
                "errors": _of_role(ReferralVoided, role, codes.VoidCode),
            }
            for role in (lifecycle.Role.SOURCE, lifecycle.Role.TARGET)
        },
    }


def record_vocabularies() -> Iterator[type[StrEnum]]:
    """Yield every closed list that an event or a verdict can carry."""
    yield from _vocabularies_of(codes)
    yield VerdictKind


def answer_vocabularies() -> Iterator[type[StrEnum]]:
    """Yield every closed list that only an answer of the replay or a duration can carry."""
    for module in iter_modules(replay.__path__):
        yield from _vocabularies_of(import_module(f"{replay.__name__}.{module.name}"))
    yield from _vocabularies_of(handoff_clock)
    yield VerdictComparison


def _vocabularies_of(module: ModuleType) -> Iterator[type[StrEnum]]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, StrEnum) and found.__module__ == module.__name__:
            yield found


def _meanings(vocabulary: str, members: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    catalogues = {
        language: {
            message: text for package in _CATALOGUES for message, text in read_catalogue(package, language).items()
        }
        for language in LANGUAGES
    }
    return {
        code: {language: messages[vocabulary, code] for language, messages in catalogues.items()} for code in members
    }


def _in_order(vocabulary: type[StrEnum], allowed: Iterable[str]) -> list[str]:
    members = set(allowed)
    return [code.value for code in vocabulary if code in members]


def _of_role(event: type[ReferralBody], role: lifecycle.Role, vocabulary: type[StrEnum]) -> list[str]:
    rows = [row for row in lifecycle.TABLE if row.event is event and row.by is role]
    return [code.value for code in vocabulary if any(row.codes is None or code in row.codes for row in rows)]
