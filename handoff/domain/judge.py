"""Verdicts: every reader judges every event, in the record's order, with these pure functions.

``authenticate`` and ``repetition`` decide whether an event is valid, ``judge`` whether it is effective.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from handoff.domain import conditions, lifecycle
from handoff.domain.case import Situation
from handoff.domain.directory import Directory
from handoff.domain.evolve import evolve
from handoff.domain.rules import rules_in_force
from handoff.record import signing
from handoff.record.codes import RefusalCode, State
from handoff.record.delivery import DUPLICATE, EFFECTIVE, EQUIVOCATION, Verdict, ineffective
from handoff.record.envelope import EXCHANGE, Event, Source
from handoff.record.events.base import ReferralBody
from handoff.record.events.directory import JurisdictionFounded
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER, Message


def judge(known: Situation, event: Event[Any], at: datetime) -> tuple[Verdict, Situation]:
    """Return the verdict on ``event`` at record time ``at``, and the state after it.

    The rules are those in force in ``known``. Unless the verdict is *effective*, the state is the same object as
    before. Raises ``UnsupportedRules`` and nothing else.
    """
    row = _row(known, event) if isinstance(event.data, ReferralBody) else None
    reason = _objection(known, event, at, row)
    if reason is not None:
        return ineffective(reason), known
    return EFFECTIVE, evolve(known, event, at, row)


def objection(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """Return the reason why ``event`` is ineffective at ``at``, a state or a code; None if it is effective."""
    row = _row(known, event) if isinstance(event.data, ReferralBody) else None
    return _objection(known, event, at, row)


def _objection(known: Situation, event: Event[Any], at: datetime, row: lifecycle.Transition | None) -> str | None:
    if not isinstance(event.data, ReferralBody):
        conditions_to_check = rules_in_force(known.directory).conditions[type(event.data)]
    elif row is None:
        return _without_row(known, event)
    else:
        conditions_to_check = row.conditions
    reasons = (condition(known, event, at) for condition in conditions_to_check)
    return next((str(reason) for reason in reasons if reason is not None), None)


def table_allows(known: Situation, event: Event[Any]) -> bool:
    """Return whether the table allows ``event``, conditions aside.

    A node can check no more of an event that the exchange judged effective: it does not hold the whole case.
    """
    return not isinstance(event.data, ReferralBody) or _row(known, event) is not None


def _row(known: Situation, event: Event[Any]) -> lifecycle.Transition | None:
    referral = conditions.referral_of(known, event)
    role = lifecycle.role_of(event.emitter, referral, EXCHANGE)
    if referral is None and role is lifecycle.Role.SOURCE:
        can_begin = known.case is not None and event.emitter in known.directory.members
        if not can_begin:
            return None
    return lifecycle.transition_for(rules_in_force(known.directory).transitions, event.data, role, referral)


def _without_row(known: Situation, event: Event[Any]) -> str:
    referral = conditions.referral_of(known, event)
    role = lifecycle.role_of(event.emitter, referral, EXCHANGE)
    if referral is None or role is None:
        return State.ABSENT
    return lifecycle.obstacle(rules_in_force(known.directory).transitions, event.data, role, referral)


Verify = Callable[[bytes, bytes, bytes], bool]
"""Public key, body, signature → whether the signature is valid. A batch may pass results computed in advance."""


def authenticate(
    directory: Directory,
    message: Message,
    event: Event[Any],
    at: datetime,
    genesis_hash: str,
    *,
    verify: Verify = signing.verifies,
) -> RefusalCode | None:
    """Return the reason why ``message`` is not authentic at this position; None if it is.

    Checked in order: jurisdiction and generation, the Kafka key, the signing key in force and its owner, the
    signature. The founding event is authenticated by its hash, the trust anchor.
    """
    source = Source.parse(event.source)
    if (source.jurisdiction, source.generation) != (directory.jurisdiction, directory.generation):
        return RefusalCode.WRONG_JURISDICTION
    if message.key is None or message.key.decode("utf-8", "replace") != event.subject or message.value is None:
        return RefusalCode.MALFORMED
    if event.case_id is None and event.subject != event.data.keying.subject(directory.jurisdiction):
        return RefusalCode.WRONG_JURISDICTION
    if isinstance(event.data, JurisdictionFounded):
        return None if signing.sha256(message.value) == genesis_hash else RefusalCode.SIGNATURE
    return _objection_to_signature(directory, message, source.member, at, verify)


def _objection_to_signature(
    directory: Directory, message: Message, member: str, at: datetime, verify: Verify
) -> RefusalCode | None:
    hint, signature = message.header(KEY_ID_HEADER), message.header(SIGNATURE_HEADER)
    if hint is None or signature is None or message.value is None:
        return RefusalCode.SIGNATURE
    key = directory.signing_key(hint.decode("ascii", "replace"), at)
    if key is None:
        return RefusalCode.KEY_NOT_IN_FORCE
    if key.owner != member:
        return RefusalCode.KEY_NOT_OWNER
    genuine = verify(bytes.fromhex(key.public_key), message.value, signature)
    return None if genuine else RefusalCode.SIGNATURE


def repetition(first_hash: str | None, own_hash: str) -> Verdict | None:
    """Return the verdict on an event whose identity is on the record already; None if it is not.

    Only the first event with an identity counts. ``first_hash`` is the SHA-256 of its bytes, None if there is none.
    """
    if first_hash is None:
        return None
    return DUPLICATE if first_hash == own_hash else EQUIVOCATION
