"""Registry of the auditor's questions. API, command and page are built from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from handoff.views.replay.after_withdrawal import AfterWithdrawal, after_withdrawal
from handoff.views.replay.answer import Answer, differences_of
from handoff.views.replay.as_of import AsOf, as_of
from handoff.views.replay.basis import BasisAnswer, basis
from handoff.views.replay.chain import Chains, chain
from handoff.views.replay.completeness import Completeness, completeness
from handoff.views.replay.corrections import Corrections, corrections
from handoff.views.replay.disclosed import Disclosed, disclosed
from handoff.views.replay.gaps import Gaps, gaps
from handoff.views.replay.history import History
from handoff.views.replay.ineffective import Ineffective, ineffective
from handoff.views.replay.missed import Missed, missed
from handoff.views.replay.overrides import Overrides, overrides
from handoff.views.replay.reads import Reads, reads
from handoff.views.replay.refused import QuestionRefused
from handoff.views.replay.waits import Waits, waits


@dataclass(frozen=True, slots=True)
class Question:
    """One named view. ``found`` is its headline with {count} and {notable}; ``nothing`` that of an empty answer."""

    name: str
    asks: str
    model: type[Answer[Any]]
    answer: Callable[[History, datetime], Answer[Any]]
    found: str
    nothing: str

    def headline(self, answer: Answer[Any]) -> str:
        """Return the answer's headline."""
        if not answer.rows:
            return self.nothing
        return self.found.format(count=answer.count, notable=answer.notable_count)


_ALL = (
    Question(
        "as_of",
        "What had each institution recorded, received and opened at that time?",
        AsOf,
        as_of,
        "institutions: {count}; with a delivered request that no person had opened: {notable}",
        "no entries on the record yet",
    ),
    Question(
        "waits",
        "How long did each part of each handoff take, and which institution was waiting for which?",
        Waits,
        waits,
        "waits: {count}; still open: {notable}",
        "no waits",
    ),
    Question(
        "basis",
        "On which basis was each disclosure made, and was the basis in force at that position?",
        BasisAnswer,
        basis,
        "disclosures: {count}; without an approved basis in force: {notable}",
        "no disclosures",
    ),
    Question(
        "after_withdrawal",
        "Which events followed a withdrawal, and with what effect?",
        AfterWithdrawal,
        after_withdrawal,
        "entries since the first withdrawal: {count}; disclosed despite the withdrawal: {notable}",
        "no release was withdrawn",
    ),
    Question(
        "chain",
        "Which institutions were asked, which refused, which was asked next, and when was none being asked?",
        Chains,
        chain,
        "requests: {count}; refused, with no further request: {notable}",
        "no requests",
    ),
    Question(
        "missed",
        "Which steps missed their deadline, what is the deadline based on, who was notified, and what was done?",
        Missed,
        missed,
        "late steps: {count}; not reported, or not acknowledged by the coordinator: {notable}",
        "no step was late",
    ),
    Question(
        "ineffective",
        "Which entries had no effect, why, and was the sender notified?",
        Ineffective,
        ineffective,
        "ineffective entries: {count}; sender not notified: {notable}",
        "every entry took effect",
    ),
    Question(
        "reads",
        "Who read the case, for what purpose, and without an open referral?",
        Reads,
        reads,
        "reads: {count}; by an agency without an open referral: {notable}",
        "no reads",
    ),
    Question(
        "overrides",
        "What was done without her release or outside the system, and who is accountable?",
        Overrides,
        overrides,
        "overrides: {count}; approved late, or without her knowledge: {notable}",
        "everything was done with her release and within the system",
    ),
    Question(
        "corrections",
        "What was voided, reported by phone, reported late, or reported with a wrong clock?",
        Corrections,
        corrections,
        "corrections: {count}; unconfirmed, or with a wrong time: {notable}",
        "no corrections",
    ),
    Question(
        "gaps",
        "What is contradictory, invalid, duplicated, or in another case?",
        Gaps,
        gaps,
        "gaps: {count}; contradictory or invalid: {notable}",
        "nothing is contradictory, invalid, duplicated or in another case",
    ),
    Question(
        "disclosed",
        "Which sealed documents were sent to whom, and is their deletion confirmed?",
        Disclosed,
        disclosed,
        "sealed documents: {count}; disclosure stopped, deletion not confirmed: {notable}",
        "no sealed documents",
    ),
    Question(
        "completeness",
        "Up to which position is the case proven, by whom, and what is not proven?",
        Completeness,
        completeness,
        "entries not fully proven: {count}",
        "a witnessed checkpoint covers every entry",
    ),
)
QUESTIONS: Mapping[str, Question] = MappingProxyType({question.name: question for question in _ALL})
"""Name → question, in display order."""


def question(name: str) -> Question:
    """Return the question named ``name``. Raises ``QuestionRefused``, which lists the names."""
    if name not in QUESTIONS:
        raise QuestionRefused("view", f"no view is named {name!r}; use one of {', '.join(QUESTIONS)}")
    return QUESTIONS[name]


def of_member(history: History, agency: str | None) -> str | None:
    """Return ``agency`` if it is a member of the jurisdiction or None. Raises ``QuestionRefused``."""
    if agency is not None and agency not in history.known.directory.members:
        raise QuestionRefused("agency", f"{agency!r} is not a member of the jurisdiction")
    return agency


def ask(history: History, name: str, moment: datetime, agency: str | None = None) -> Answer[Any]:
    """Answer the question ``name`` as of ``moment``, restricted to ``agency``. Raises ``QuestionRefused``."""
    asked = question(name)
    if not history.own:
        raise QuestionRefused("case", f"the record has no entry about case {history.case_id}")
    answer = asked.answer(history, moment).of(of_member(history, agency))
    return answer.model_copy(update={"differs": differences_of(history)})
