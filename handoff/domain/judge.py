"""The one truth: every event judged in the record's order, by one pure function.

First whether it may count at all (``authenticate``, ``repetition``), then whether it changes anything (``judge``).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from handoff.domain import conditions, lifecycle
from handoff.domain.case import Situation
from handoff.domain.directory import Directory
from handoff.domain.evolve import evolve
from handoff.domain.rules import RULES
from handoff.record import signing
from handoff.record.codes import IneffectiveReason, RefusalCode, State
from handoff.record.delivery import DUPLICATE, EFFECTIVE, Verdict, ineffective, invalid
from handoff.record.envelope import EXCHANGE, Event, Source
from handoff.record.events.base import ReferralBody
from handoff.record.events.directory import JurisdictionFounded
from handoff.record.message import KEY_ID_HEADER, SIGNATURE_HEADER, Message


def judge(known: Situation, event: Event[Any], at: datetime) -> tuple[Verdict, Situation]:
    """Whether ``event`` changes anything at record time ``at``, and what is known after it.

    What is known stays the same, to the object, unless the verdict is *effective*. Never raises.
    """
    reason = objection(known, event, at)
    if reason is not None:
        return ineffective(reason), known
    return EFFECTIVE, evolve(known, event, at)


def objection(known: Situation, event: Event[Any], at: datetime) -> str | None:
    """Why ``event`` changes nothing at ``at``: a state's name or a code; None if it does."""
    if not isinstance(event.data, ReferralBody):
        held = RULES[type(event.data)]
    elif (row := _row(known, event)) is None:
        return _state_as_seen_by(known, event)
    else:
        held = row.conditions
    return next((str(found) for condition in held if (found := condition(known, event, at)) is not None), None)


def is_possible(known: Situation, event: Event[Any]) -> bool:
    """Whether the table alone allows ``event`` here: what a node can know of an event that was judged effective."""
    return not isinstance(event.data, ReferralBody) or _row(known, event) is not None


def _row(known: Situation, event: Event[Any]) -> lifecycle.Row | None:
    referral = conditions.referral_of(known, event)
    role = lifecycle.role_of(event.emitter, referral, EXCHANGE)
    if referral is None and role is lifecycle.Role.SOURCE and not _may_begin(known, event):
        return None
    return lifecycle.row_for(event.data, role, referral)


def _may_begin(known: Situation, event: Event[Any]) -> bool:
    return known.case is not None and event.emitter in known.directory.members


def _state_as_seen_by(known: Situation, event: Event[Any]) -> str:
    referral = conditions.referral_of(known, event)
    if referral is None or lifecycle.role_of(event.emitter, referral, EXCHANGE) is None:
        return State.ABSENT
    # Whoever comes after a withdrawal is told of the withdrawal, whether or not its consequence is on the record yet.
    return IneffectiveReason.RELEASE_WITHDRAWN if referral.state is State.REVOKED else referral.state


Verify = Callable[[bytes, bytes, bytes], bool]
"""Public key, body, signature → whether it verifies; a batch may bring answers that threads worked out before."""


def authenticate(
    directory: Directory,
    message: Message,
    event: Event[Any],
    at: datetime,
    genesis_hash: str,
    *,
    verify: Verify = signing.verifies,
) -> RefusalCode | None:
    """Why ``message`` is not its emitter's own word at this position; None if it is.

    Checked in order: jurisdiction and generation, the Kafka key, the key in force and its owner, the signature.
    The founding event alone is known by its hash, the trust anchor.
    """
    source = Source.parse(event.source)
    if (source.jurisdiction, source.generation) != (directory.jurisdiction, directory.generation):
        return RefusalCode.WRONG_JURISDICTION
    if message.key is None or message.key.decode("utf-8", "replace") != event.subject or message.value is None:
        return RefusalCode.MALFORMED
    if event.case_id is None and event.subject != directory.jurisdiction:
        return RefusalCode.WRONG_JURISDICTION
    if isinstance(event.data, JurisdictionFounded):
        return _objection_to_genesis(message.value, genesis_hash)
    return _objection_to_signature(directory, message, source.member, at, verify)


def _objection_to_genesis(value: bytes, genesis_hash: str) -> RefusalCode | None:
    return None if signing.sha256(value) == genesis_hash else RefusalCode.SIGNATURE


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
    """The verdict on an event whose (subject, id) was seen before: the first counts, for everyone and for ever.

    ``first_hash`` is the SHA-256 of the first one's bytes, None if there was none.
    """
    if first_hash is None:
        return None
    return DUPLICATE if first_hash == own_hash else invalid(RefusalCode.EQUIVOCATION)
