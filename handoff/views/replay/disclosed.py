"""View *disclosed*: sealed sheets and dossiers, their recipients, and attested deletions."""

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
from handoff.views.replay.answer import Answer, AnswerPart, AnswerRow, distinct_members
from handoff.views.replay.basis import DisclosureExtent
from handoff.views.replay.history import History, ReplayedEntry


class Unknown(StrEnum):
    """Fact that the record does not show and a holder would have to show."""

    OPENING = "opening"
    ARRIVAL = "arrival"
    DELETION_BY_DISCLOSER = "deletion_by_discloser"
    DELETION_BY_RECIPIENT = "deletion_by_recipient"
    BACKUPS = "backups"


class Deletion(AnswerPart):
    """Attestation by a holder that its copy is deleted: ``reason`` of a dossier, ``backups_clear_at`` of an erasure."""

    by: str
    at: datetime
    reason: DestructionReason | None = None
    backups_clear_at: datetime | None = None


class DisclosedRow(AnswerRow):
    """One sealed document, identified by its committed hashes.

    Only a holder's opening shows whether a document matches its ``commitment``; the record cannot. A document
    that lost its race to a withdrawal, without an attested deletion by the recipient, is notable.
    """

    disclosure: DisclosureExtent
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
    """Sealed documents of a case."""


def disclosed(history: History, moment: datetime) -> Disclosed:
    """Return every committed sheet and dossier up to ``moment``, in the record's order."""
    then = history.until(moment)
    found = ((entry, _document(entry)) for entry in then.own if entry.counts and entry.referral is not None)
    rows = tuple(_row(then, entry, document, moment) for entry, document in found if document is not None)
    return Disclosed(moment=moment, rows=rows)


def _document(entry: ReplayedEntry) -> Commitment | None:
    if isinstance(entry.body, DossierDisclosed):
        return entry.body.dossier
    return entry.body.sheet if entry.is_a(ReferralRequested, ReferralImported) else None


def _row(then: History, entry: ReplayedEntry, document: Commitment, moment: datetime) -> DisclosedRow:
    is_dossier = isinstance(entry.body, DossierDisclosed)
    about = [one for one in then.about[entry.body.referral] if one.position > entry.position]
    received = next((one for one in about if is_dossier and one.is_a(DossierDelivered)), None)
    gone = [one for one in about if one.is_a(ErasureCompleted) or (is_dossier and one.is_a(DossierDestroyed))]
    deletions = tuple(_deletion(one) for one in gone)
    source, target = _sides(entry)
    attested = any(one.by == target for one in deletions)
    return DisclosedRow(
        agencies=distinct_members(source, target),
        positions=tuple(one.position for one in (entry, received, *gone) if one is not None),
        notable=is_dossier and not entry.verdict.is_effective and not attested,
        disclosure=DisclosureExtent.DOSSIER if is_dossier else DisclosureExtent.SHEET,
        at=entry.at,
        referral=entry.body.referral,
        discloser=source,
        recipient=target,
        passed_on=entry.verdict.is_effective,
        commitment=document.commitment,
        sealed=document.sealed,
        delivered_at=received.at if received is not None else None,
        deletions=deletions,
        unknown=_unknown(deletions, source, target, moment, arrived=received is not None or not is_dossier),
    )


def _sides(entry: ReplayedEntry) -> tuple[str, str]:
    return (entry.referral.source, entry.referral.target) if entry.referral is not None else ("", "")


def _deletion(entry: ReplayedEntry) -> Deletion:
    return Deletion(
        by=entry.emitter or "",
        at=entry.at,
        reason=getattr(entry.body, "reason", None),
        backups_clear_at=getattr(entry.body, "backups_clear_at", None),
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
