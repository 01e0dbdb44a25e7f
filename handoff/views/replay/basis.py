"""View *basis*: the basis of each disclosure, and whether it was live at its position."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.domain.case import Basis
from handoff.domain.conditions import objection_to_basis
from handoff.record.codes import ApproverRole, BasisKind, IneffectiveReason, ReleasePurpose
from handoff.record.events.referral import DossierDisclosed, ReferralImported, ReferralRequested
from handoff.views.replay.answer import Answer, AnswerRow, distinct_members
from handoff.views.replay.history import History, ReplayedEntry


class DisclosureExtent(StrEnum):
    """Extent of a disclosure: the request alone, with the sealed screening sheet, or the sealed dossier."""

    REQUEST = "request"
    SHEET = "sheet"
    DOSSIER = "dossier"


class BasisRow(AnswerRow):
    """One disclosure and the state of its basis before it; ``kind`` is None if the basis did not exist.

    ``took_place`` is False if the exchange delivered nothing. ``objection`` is the reason why the basis was not live.
    """

    disclosure: DisclosureExtent
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
    """Disclosures of a case."""


def basis(history: History, moment: datetime) -> BasisAnswer:
    """Return every attempted disclosure up to ``moment``, in the record's order."""
    then = history.until(moment)
    tried = (entry for entry in then.own if entry.counts and isinstance(entry.body, _DISCLOSING))
    return BasisAnswer(moment=moment, rows=tuple(_row(then, entry) for entry in tried))


_DISCLOSING = (ReferralRequested, ReferralImported, DossierDisclosed)


def _row(then: History, entry: ReplayedEntry) -> BasisRow:
    rests_on, recipient = _basis_id(entry), _recipient(entry)
    stood = entry.before.case.bases.get(rests_on) if entry.before.case is not None and rests_on is not None else None
    recorded = then.recorded_basis(rests_on)
    objection = _objection(stood, recipient, entry.at)
    return BasisRow(
        agencies=distinct_members(entry.emitter, recipient),
        positions=tuple(other.position for other in (recorded, entry) if other is not None),
        notable=entry.verdict.is_effective and (objection is not None or not _is_approved(stood)),
        disclosure=_disclosure(entry),
        at=entry.at,
        referral=entry.body.referral,
        discloser=entry.emitter or "",
        recipient=recipient,
        took_place=entry.verdict.is_effective,
        basis=rests_on,
        kind=stood.kind if stood is not None else None,
        purpose=stood.purpose if stood is not None else None,
        expires_at=stood.expires_at if stood is not None else None,
        rule=recorded.body.rule if recorded is not None else None,
        approver_role=recorded.body.approver_role if recorded is not None else None,
        approved=_is_approved(stood),
        live=objection is None,
        objection=objection,
    )


def _basis_id(entry: ReplayedEntry) -> UUID | None:
    if not isinstance(entry.body, DossierDisclosed):
        snapshot: UUID = entry.body.basis.basis
        return snapshot
    return entry.referral_before.basis if entry.referral_before is not None else None


def _recipient(entry: ReplayedEntry) -> str | None:
    if not isinstance(entry.body, DossierDisclosed):
        target: str = entry.body.target
        return target
    return entry.referral_before.target if entry.referral_before is not None else None


def _disclosure(entry: ReplayedEntry) -> DisclosureExtent:
    if isinstance(entry.body, DossierDisclosed):
        return DisclosureExtent.DOSSIER
    return DisclosureExtent.REQUEST if entry.body.sheet is None else DisclosureExtent.SHEET


def _is_approved(stood: Basis | None) -> bool:
    return stood is not None and stood.approved


def _objection(stood: Basis | None, recipient: str | None, at: datetime) -> str | None:
    if stood is None or recipient is None:
        return IneffectiveReason.BASIS_MISSING
    return objection_to_basis(stood, recipient, stood.expires_at, at)
