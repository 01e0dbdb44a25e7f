"""Decisions on a batch of commands, each based on the state after the previous ones."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

from handoff.domain.case import Referral, Situation
from handoff.domain.commands import Command, RecordBasis, RequestReferral
from handoff.domain.decide import About, NewId, Refusal, decide, invalid_field
from handoff.node.commands import optimistic_state
from handoff.node.commands.results import (
    IdempotencyConflict,
    InvalidCommand,
    OwnKeyEnded,
    PreconditionFailed,
    Refused,
    Stored,
)
from handoff.node.ports import Clock
from handoff.node.rows import KnownState, OutboxRow, PendingEvent, StoredAnswer
from handoff.record.envelope import Event, Source
from handoff.record.events.base import Keying

Decision = Stored | Refused | InvalidCommand | PreconditionFailed | IdempotencyConflict | OwnKeyEnded
_ABOUT = ("case", "referral", "basis", "escalation")
_FINGERPRINT_VERSION = 1
"""Stored with each fingerprint, so that a release with another encoding can still compute this one and compare."""


@dataclass(frozen=True, slots=True)
class SubmittedCommand:
    """A submitted command; ``if_match`` has the values of the referral's ``seen`` that the caller expects.

    ``key_hash`` identifies its idempotency key, if any, and ``fingerprint`` the request under that key.
    """

    command: Command
    about: About
    if_match: frozenset[int] | None = None
    key_hash: str | None = None
    fingerprint: str = ""

    def under(self, key_hash: str) -> Self:
        """Return the command with the hash of its idempotency key."""
        return replace(self, key_hash=key_hash, fingerprint=fingerprint(self.command, self.about))


def fingerprint(command: Command, about: About) -> str:
    """Return the version and hash of a request in its canonical encoding.

    The encoding is JSON with sorted keys: the command's name, the ids in its path, and the fields that differ from
    their default. So a retry after an upgrade has the same fingerprint, although its command has new optional fields.
    """
    request = {
        "command": type(command).__name__,
        "about": _ids(about),
        "fields": command.model_dump(mode="json", exclude_defaults=True),
    }
    encoded = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{_FINGERPRINT_VERSION}:{hashlib.sha256(encoded).hexdigest()}"


class CommandBatch:
    """Results of a batch in order: outbox rows, and answers to store under idempotency keys."""

    def __init__(
        self,
        known: KnownState,
        me: Source,
        clock: Clock,
        new_id: NewId,
        *,
        own_key_ended: OwnKeyEnded | None = None,
    ) -> None:
        """Start from the ``known`` state of the commands' subjects, with the answers stored under their keys.

        With ``own_key_ended``, every command without a stored answer is refused with it.
        """
        self._directory = known.directory_for(me)
        self._cases = known.cases
        self._escalations = known.escalations
        self._record_clock = known.clock
        self._me = me
        self._own_key_ended = own_key_ended
        self._clock = clock
        self._new_id = new_id
        self._situations: dict[str, Situation] = {}
        self._answers = {answer.key_hash: answer for answer in known.answers}
        # Events that are not applied to their subject's situation yet.
        self._pending: defaultdict[str, list[PendingEvent]] = defaultdict(list)
        for event in known.pending:
            self._pending[event.subject].append(event)
        self.rows: list[OutboxRow] = []
        self.answers: list[StoredAnswer] = []

    def decide(self, submitted: SubmittedCommand) -> Decision:
        """Decide a command after all previous ones of the batch."""
        if submitted.key_hash is not None and submitted.key_hash in self._answers:
            return _replay(submitted, self._answers[submitted.key_hash])
        decision = self._own_key_ended or self._decide(submitted)
        if submitted.key_hash is not None and isinstance(decision, Stored):
            answer = StoredAnswer(submitted.key_hash, submitted.fingerprint, _encode(decision), self._clock())
            self._answers[submitted.key_hash] = answer
            self.answers.append(answer)
        return decision

    def _decide(self, submitted: SubmittedCommand) -> Stored | Refused | InvalidCommand | PreconditionFailed:
        situation = self._situation(subject_of(submitted, self._me))
        referral = _referral(situation, submitted.about)
        if submitted.if_match is not None and referral is not None and referral.seen not in submitted.if_match:
            return PreconditionFailed(referral.state, referral.seen)
        now = self._clock()
        corrected = self._record_clock.now(now)
        if (invalid := invalid_field(submitted.command, submitted.about, corrected)) is not None:
            return InvalidCommand(invalid)
        events = decide(
            situation,
            submitted.command,
            submitted.about,
            me=self._me,
            now=corrected,
            at=self._record_clock.judging_time(now),
            new_id=self._new_id,
        )
        if isinstance(events, Refusal):
            return Refused(events, referral.seen if referral is not None else None)
        for row in (OutboxRow.of(event, now) for event in events):
            self.rows.append(row)
            self._pending[row.subject].append(PendingEvent(row.id, row.subject, row.value, row.created_at))
        return Stored(tuple(event.id for event in events), _with_created_ids(submitted, events))

    def _situation(self, subject: str) -> Situation:
        known = self._situations.get(subject)
        if known is None:
            case = self._cases.get(UUID(subject)) if Keying.of(subject) is Keying.CASE else None
            known = optimistic_state.situation_of(self._directory, subject, case, self._escalations)
        pending = self._pending.pop(subject, ())
        self._situations[subject] = optimistic_state.with_pending(known, pending, self._record_clock)
        return self._situations[subject]


def subject_of(submitted: SubmittedCommand, me: Source) -> str:
    """Return the subject of a command's events."""
    return submitted.command.makes.keying.subject(me.jurisdiction, submitted.about.case)


def _referral(known: Situation, about: About) -> Referral | None:
    if known.case is None or about.referral is None:
        return None
    return known.case.referrals.get(about.referral)


def _with_created_ids(submitted: SubmittedCommand, events: tuple[Event[Any], ...]) -> About:
    if isinstance(submitted.command, RequestReferral):
        return replace(submitted.about, referral=events[0].data.referral)
    if isinstance(submitted.command, RecordBasis):
        return replace(submitted.about, basis=events[0].data.basis)
    return submitted.about


def _ids(about: About) -> dict[str, str]:
    return {name: str(found) for name in _ABOUT if (found := getattr(about, name)) is not None}


def _encode(answer: Stored) -> str:
    return json.dumps({"events": [str(event) for event in answer.events], "about": _ids(answer.about)})


def _replay(submitted: SubmittedCommand, earlier: StoredAnswer) -> Stored | IdempotencyConflict:
    if earlier.fingerprint != submitted.fingerprint:
        return IdempotencyConflict()
    answer = json.loads(earlier.answer)
    about = About(**{name: UUID(found) for name, found in answer["about"].items()})
    return Stored(tuple(UUID(event) for event in answer["events"]), about, replayed=True)
