"""Decisions on a batch of commands, each based on the state after the previous ones."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

from handoff.domain.case import Referral, Situation
from handoff.domain.commands import Command, RecordBasis, RequestReferral
from handoff.domain.decide import About, NewId, Refusal, decide
from handoff.node.commands import optimistic_state
from handoff.node.commands.results import IdempotencyConflict, PreconditionFailed, Refused, Stored
from handoff.node.ports import Clock
from handoff.node.rows import KeptAnswer, Known, OutboxRow, PendingRow
from handoff.record.envelope import Event, Source

Decision = Stored | Refused | PreconditionFailed | IdempotencyConflict
_ABOUT = ("case", "referral", "basis", "escalation")


@dataclass(frozen=True, slots=True)
class Asked:
    """A submitted command; ``if_match`` is the referral's ``seen`` that the caller expects.

    ``key_hash`` identifies its idempotency key, if any, and ``request_hash`` the request under that key.
    """

    command: Command
    about: About
    if_match: int | None = None
    key_hash: str | None = None
    request_hash: str = ""

    def under(self, key: str, member: str) -> Self:
        """Return the command with the hash of its idempotency key."""
        request_hash = _hash(type(self.command).__name__, str(self.about), self.command.model_dump_json())
        return replace(self, key_hash=_hash(member, key), request_hash=request_hash)


class CommandBatch:
    """Results of a batch in order: outbox rows, and answers to store under idempotency keys."""

    def __init__(self, known: Known, answered: Iterable[KeptAnswer], me: Source, clock: Clock, new_id: NewId) -> None:
        """Start from the ``known`` state of the commands' subjects and the answers stored under their keys."""
        self._directory = known.directory_for(me)
        self._cases = known.cases
        self._me = me
        self._clock = clock
        self._new_id = new_id
        self._situations: dict[str, Situation] = {}
        self._answered = {answer.key_hash: answer for answer in answered}
        # Events decided but not yet folded into their subject's situation.
        self._said: defaultdict[str, list[PendingRow]] = defaultdict(list)
        for row in known.pending:
            self._said[row.subject].append(row)
        self.rows: list[OutboxRow] = []
        self.answers: list[KeptAnswer] = []

    def take(self, asked: Asked) -> Decision:
        """Decide ``asked`` after all previous commands of the batch."""
        if asked.key_hash is not None and asked.key_hash in self._answered:
            return _replay(asked, self._answered[asked.key_hash])
        decision = self._decide(asked)
        if asked.key_hash is not None and isinstance(decision, Stored):
            answer = KeptAnswer(asked.key_hash, asked.request_hash, _as_text(decision), self._clock())
            self._answered[asked.key_hash] = answer
            self.answers.append(answer)
        return decision

    def _decide(self, asked: Asked) -> Stored | Refused | PreconditionFailed:
        situation = self._situation(subject_of(asked.about, self._me))
        referral = _referral(situation, asked.about)
        if asked.if_match is not None and referral is not None and referral.seen != asked.if_match:
            return PreconditionFailed(referral.state, referral.seen)
        now = self._clock()
        events = decide(situation, asked.command, asked.about, me=self._me, now=now, new_id=self._new_id)
        if isinstance(events, Refusal):
            return Refused(events, referral.seen if referral is not None else None)
        self._keep([OutboxRow.of(event, now) for event in events])
        return Stored(tuple(event.id for event in events), _with_new_ids(asked, events))

    def _situation(self, subject: str) -> Situation:
        known = self._situations.get(subject)
        if known is None:
            case = None if subject == self._me.jurisdiction else self._cases.get(UUID(subject))
            known = optimistic_state.about(self._directory, subject, case)
        self._situations[subject] = optimistic_state.with_pending(known, self._said.pop(subject, ()))
        return self._situations[subject]

    def _keep(self, rows: Sequence[OutboxRow]) -> None:
        self.rows += rows
        for row in rows:
            self._said[row.subject].append(PendingRow(row.id, row.subject, row.value, row.created_at))


def subject_of(about: About, me: Source) -> str:
    """Return the subject of a command's events: its case, or the jurisdiction."""
    return str(about.case) if about.case is not None else me.jurisdiction


def _referral(known: Situation, about: About) -> Referral | None:
    if known.case is None or about.referral is None:
        return None
    return known.case.referrals.get(about.referral)


def _with_new_ids(asked: Asked, events: Sequence[Event[Any]]) -> About:
    if isinstance(asked.command, RequestReferral):
        return replace(asked.about, referral=events[0].data.referral)
    if isinstance(asked.command, RecordBasis):
        return replace(asked.about, basis=events[0].data.basis)
    return asked.about


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _as_text(answer: Stored) -> str:
    ids = {name: str(found) for name in _ABOUT if (found := getattr(answer.about, name)) is not None}
    return json.dumps({"events": [str(event) for event in answer.events], "about": ids})


def _replay(asked: Asked, earlier: KeptAnswer) -> Stored | IdempotencyConflict:
    if earlier.request_hash != asked.request_hash:
        return IdempotencyConflict()
    kept = json.loads(earlier.answer)
    about = About(**{name: UUID(found) for name, found in kept["about"].items()})
    return Stored(tuple(UUID(event) for event in kept["events"]), about, replayed=True)
