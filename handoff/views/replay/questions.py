"""Registry of the auditor's questions. API, command and page are built from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from handoff.views.replay.after_withdrawal import AfterWithdrawal, after_withdrawal
from handoff.views.replay.answer import Answer
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
        "What had each institution recorded, been delivered and opened at that moment?",
        AsOf,
        as_of,
        "institutions: {count}; with something that no person there had opened: {notable}",
        "nothing was on the record yet",
    ),
    Question(
        "waits",
        "Which part of each handoff took how long, and whose wait was it?",
        Waits,
        waits,
        "waits: {count}; still lasting: {notable}",
        "nobody has waited for anything",
    ),
    Question(
        "basis",
        "Under what was each disclosure made, and was it live at that position?",
        BasisAnswer,
        basis,
        "disclosures: {count}; without a live and approved basis: {notable}",
        "nothing was disclosed",
    ),
    Question(
        "after_withdrawal",
        "What was said after a withdrawal, and what came of it?",
        AfterWithdrawal,
        after_withdrawal,
        "entries from the first withdrawal on: {count}; disclosed all the same: {notable}",
        "no release was withdrawn",
    ),
    Question(
        "chain",
        "Who was asked, who refused, who was asked next, and when was nobody?",
        Chains,
        chain,
        "requests: {count}; refused, and nobody asked since: {notable}",
        "nobody was asked for anything",
    ),
    Question(
        "missed",
        "Which steps were late, what does their time rest on, who was told, and what was done?",
        Missed,
        missed,
        "late steps: {count}; unsaid, or not answered by the coordinator: {notable}",
        "no step was late",
    ),
    Question(
        "ineffective",
        "What changed nothing, why, and was its sender told?",
        Ineffective,
        ineffective,
        "ineffective entries: {count}; sender not told: {notable}",
        "everything that was said took effect",
    ),
    Question(
        "reads",
        "Who read the case, for what purpose, and without an open referral?",
        Reads,
        reads,
        "reads: {count}; by an agency without an open referral: {notable}",
        "nobody has read the case",
    ),
    Question(
        "overrides",
        "What was done without her release or past the system, and who answers for it?",
        Overrides,
        overrides,
        "overrides: {count}; approved late, or without her knowledge: {notable}",
        "everything rests on her release and went through the system",
    ),
    Question(
        "corrections",
        "What was taken back, told by phone, told late, or told by a wrong clock?",
        Corrections,
        corrections,
        "corrections: {count}; unconfirmed, or by a time that is off: {notable}",
        "nothing was corrected",
    ),
    Question(
        "gaps",
        "What is contradictory, refused, repeated, or kept in another case?",
        Gaps,
        gaps,
        "gaps: {count}; contradictory, invalid or refused: {notable}",
        "nothing is contradictory, refused, repeated or kept elsewhere",
    ),
    Question(
        "disclosed",
        "Which sealed documents went to whom, and is their deletion attested?",
        Disclosed,
        disclosed,
        "sealed documents: {count}; stopped, and not attested as deleted: {notable}",
        "no sealed document was committed to",
    ),
    Question(
        "completeness",
        "Up to where is the case proven, by whom, and what could not be?",
        Completeness,
        completeness,
        "entries of which something is not proven: {count}",
        "all of it is under a witnessed checkpoint",
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
    return asked.answer(history, moment).of(of_member(history, agency))
