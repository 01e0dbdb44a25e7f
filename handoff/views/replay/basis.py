"""The view basis: under what each disclosure was made, and whether that was live at its position."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.domain.case import Basis
from handoff.domain.conditions import objection_to_basis
from handoff.record.codes import ApproverRole, BasisKind, IneffectiveReason, ReleasePurpose
from handoff.record.events.referral import DossierDisclosed, ReferralImported, ReferralRequested
from handoff.views.replay.answer import Answer, Row, names
from handoff.views.replay.history import History, Told


class Disclosure(StrEnum):
    """How much was told: that a service is asked for, the sealed screening sheet too, or the sealed dossier."""

    REQUEST = "request"
    SHEET = "sheet"
    DOSSIER = "dossier"


class BasisRow(Row):
    """One disclosure, and the basis as it stood before it; no kind where no such basis stood.

    ``took_place`` is False where the exchange passed nothing on. ``objection`` says why the basis was not live.
    """

    disclosure: Disclosure
    at: datetime
    referral: UUID
    discloser: str
    recipient: str | None
    took_place: bool
    basis: UUID | None
    kind: BasisKind | None
    purpose: ReleasePurpose | None
    expires_at: datetime | None
    rule: str | None
    approver_role: ApproverRole | None
    approved: bool
    live: bool
    objection: str | None


class BasisAnswer(Answer[BasisRow]):
    """The disclosures of a case."""


def basis(history: History, moment: datetime) -> BasisAnswer:
    """Every disclosure that was tried by ``moment``, in the record's order."""
    then = history.until(moment)
    tried = (told for told in then.own if told.counts and isinstance(told.body, _DISCLOSING))
    return BasisAnswer(moment=moment, rows=tuple(_row(then, told) for told in tried))


_DISCLOSING = (ReferralRequested, ReferralImported, DossierDisclosed)


def _row(then: History, told: Told) -> BasisRow:
    rests_on, recipient = _basis_id(told), _recipient(told)
    stood = told.before.case.bases.get(rests_on) if told.before.case is not None and rests_on is not None else None
    said = then.recorded_basis(rests_on)
    objection = _objection(stood, recipient, told.at)
    return BasisRow(
        agencies=names(told.emitter, recipient),
        positions=tuple(entry.position for entry in (said, told) if entry is not None),
        notable=told.verdict.is_effective and (objection is not None or not _is_approved(stood)),
        disclosure=_disclosure(told),
        at=told.at,
        referral=told.body.referral,
        discloser=told.emitter or "",
        recipient=recipient,
        took_place=told.verdict.is_effective,
        basis=rests_on,
        kind=stood.kind if stood is not None else None,
        purpose=stood.purpose if stood is not None else None,
        expires_at=stood.expires_at if stood is not None else None,
        rule=said.body.rule if said is not None else None,
        approver_role=said.body.approver_role if said is not None else None,
        approved=_is_approved(stood),
        live=objection is None,
        objection=objection,
    )


def _basis_id(told: Told) -> UUID | None:
    if not isinstance(told.body, DossierDisclosed):
        snapshot: UUID = told.body.basis.basis
        return snapshot
    return told.referral_before.basis if told.referral_before is not None else None


def _recipient(told: Told) -> str | None:
    if not isinstance(told.body, DossierDisclosed):
        target: str = told.body.target
        return target
    return told.referral_before.target if told.referral_before is not None else None


def _disclosure(told: Told) -> Disclosure:
    if isinstance(told.body, DossierDisclosed):
        return Disclosure.DOSSIER
    return Disclosure.REQUEST if told.body.sheet is None else Disclosure.SHEET


def _is_approved(stood: Basis | None) -> bool:
    return stood is not None and stood.approved


def _objection(stood: Basis | None, recipient: str | None, at: datetime) -> str | None:
    if stood is None or recipient is None:
        return IneffectiveReason.BASIS_MISSING
    return objection_to_basis(stood, recipient, stood.expires_at, at)
