"""The view disclosed: which sealed sheets and dossiers went to whom, and whether their deletion is attested."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from handoff.record.codes import DestructionReason
from handoff.record.events.case import ErasureCompleted
from handoff.record.events.referral import (
    Commitment,
    DossierDelivered,
    DossierDestroyed,
    DossierDisclosed,
    ReferralImported,
    ReferralRequested,
)
from handoff.views.replay.answer import Answer, Frozen, Row, names
from handoff.views.replay.basis import Disclosure
from handoff.views.replay.history import History, Told


class Unknown(StrEnum):
    """What the record does not show, and who would have to show it."""

    OPENING = "opening"
    ARRIVAL = "arrival"
    DELETION_BY_DISCLOSER = "deletion_by_discloser"
    DELETION_BY_RECIPIENT = "deletion_by_recipient"
    BACKUPS = "backups"


class Deletion(Frozen):
    """A holder attests that its copy is gone; ``reason`` for a dossier, ``backups_clear_at`` for an erasure."""

    by: str
    at: datetime
    reason: DestructionReason | None = None
    backups_clear_at: datetime | None = None


class DisclosedRow(Row):
    """One sealed document, named by the hashes that it was committed to.

    Whether an opened document matches its ``commitment`` is shown by a holder's opening, never by the record. One
    that lost its race to a withdrawal and whose deletion the recipient has not attested is notable.
    """

    disclosure: Disclosure
    at: datetime
    referral: UUID
    discloser: str
    recipient: str
    passed_on: bool
    commitment: str
    sealed: str
    delivered_at: datetime | None
    deletions: tuple[Deletion, ...]
    unknown: tuple[Unknown, ...]


class Disclosed(Answer[DisclosedRow]):
    """The sealed documents of a case."""


def disclosed(history: History, moment: datetime) -> Disclosed:
    """Every sheet and dossier that was committed to by ``moment``, in the record's order."""
    then = history.until(moment)
    found = ((told, _document(told)) for told in then.own if told.counts and told.referral is not None)
    rows = tuple(_row(then, told, document, moment) for told, document in found if document is not None)
    return Disclosed(moment=moment, rows=rows)


def _document(told: Told) -> Commitment | None:
    if isinstance(told.body, DossierDisclosed):
        return told.body.dossier
    return told.body.sheet if told.says(ReferralRequested, ReferralImported) else None


def _row(then: History, told: Told, document: Commitment, moment: datetime) -> DisclosedRow:
    is_dossier = isinstance(told.body, DossierDisclosed)
    about = [one for one in then.about[told.body.referral] if one.position > told.position]
    received = next((one for one in about if is_dossier and one.says(DossierDelivered)), None)
    gone = [one for one in about if one.says(ErasureCompleted) or (is_dossier and one.says(DossierDestroyed))]
    deletions = tuple(_deletion(one) for one in gone)
    source, target = _sides(told)
    attested = any(one.by == target for one in deletions)
    return DisclosedRow(
        agencies=names(source, target),
        positions=tuple(one.position for one in (told, received, *gone) if one is not None),
        notable=is_dossier and not told.verdict.is_effective and not attested,
        disclosure=Disclosure.DOSSIER if is_dossier else Disclosure.SHEET,
        at=told.at,
        referral=told.body.referral,
        discloser=source,
        recipient=target,
        passed_on=told.verdict.is_effective,
        commitment=document.commitment,
        sealed=document.sealed,
        delivered_at=received.at if received is not None else None,
        deletions=deletions,
        unknown=_unknown(deletions, source, target, moment, arrived=received is not None or not is_dossier),
    )


def _sides(told: Told) -> tuple[str, str]:
    return (told.referral.source, told.referral.target) if told.referral is not None else ("", "")


def _deletion(told: Told) -> Deletion:
    return Deletion(
        by=told.emitter or "",
        at=told.at,
        reason=getattr(told.body, "reason", None),
        backups_clear_at=getattr(told.body, "backups_clear_at", None),
    )


def _unknown(
    deletions: tuple[Deletion, ...], source: str, target: str, moment: datetime, *, arrived: bool
) -> tuple[Unknown, ...]:
    holders = {deletion.by for deletion in deletions}
    kept = [deletion.backups_clear_at for deletion in deletions if deletion.backups_clear_at is not None]
    found = (
        (True, Unknown.OPENING),
        (not arrived, Unknown.ARRIVAL),
        (source not in holders, Unknown.DELETION_BY_DISCLOSER),
        (target not in holders, Unknown.DELETION_BY_RECIPIENT),
        (any(clear_at > moment for clear_at in kept), Unknown.BACKUPS),
    )
    return tuple(word for holds, word in found if holds)
