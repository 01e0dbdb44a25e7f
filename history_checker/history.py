"""The record read from its beginning: a verdict on each entry, who must hear of it, and what comes of it all."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from history_checker.evidence import Entry, Evidence
from history_checker.fold import fold
from history_checker.reading import Event, Unreadable, at_ms, objection_to_signature, read, sha256
from history_checker.sayings import EXCHANGE
from history_checker.table import HEARD_BY
from history_checker.verdicts import objection
from history_checker.world import Referral, World


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry with what the checker makes of it; ``event`` is None where the bytes are none."""

    entry: Entry
    event: Event | None
    record_ms: int
    outcome: str
    reason: str | None = None


@dataclass(slots=True)
class History:
    """Everything that follows from the record alone."""

    world: World
    generation: int
    genesis: str
    judged: list[Judged] = field(default_factory=list)
    inboxes: dict[str, list[Judged]] = field(default_factory=lambda: defaultdict(list))
    first: dict[tuple[str, str], Judged] = field(default_factory=dict)
    _told_to_all: list[Judged] = field(default_factory=list)
    _record_ms: int = 0

    def take(self, entry: Entry) -> None:
        """Judges, routes and folds the next entry."""
        self._record_ms = max(self._record_ms, entry.appended_ms)
        at = at_ms(self._record_ms)
        judged = self._judge(entry, at)
        self.judged.append(judged)
        if judged.event is None:
            return
        if judged.outcome in ("effective", "ineffective"):
            self.first[judged.event.subject, judged.event.id] = judged
        race = self._sides(judged.event)
        members = set(self.world.members)
        if judged.outcome == "effective":
            fold(self.world, judged.event, at)
        self._route(judged, judged.event, race, members)

    def _judge(self, entry: Entry, at: datetime) -> Judged:
        try:
            event = read(entry.value)
        except Unreadable as error:
            return Judged(entry, None, self._record_ms, "invalid", error.code)
        outcome, reason = self._verdict(entry, event, at)
        return Judged(entry, event, self._record_ms, outcome, reason)

    def _verdict(self, entry: Entry, event: Event, at: datetime) -> tuple[str, str | None]:
        forged = self._forgery(entry, event, at)
        if forged is not None:
            return "invalid", forged
        first = self.first.get((event.subject, event.id))
        if first is not None:
            return ("duplicate", None) if first.entry.value == entry.value else ("invalid", "equivocation")
        reason = objection(self.world, event, at)
        return ("effective", None) if reason is None else ("ineffective", reason)

    def _forgery(self, entry: Entry, event: Event, at: datetime) -> str | None:
        if event.realm != (self.world.jurisdiction, self.generation):
            return "wrong_jurisdiction"
        if entry.key is None or entry.value is None or entry.key.decode("utf-8", "replace") != event.subject:
            return "malformed"
        if not event.is_about_a_case and event.subject != self.world.jurisdiction:
            return "wrong_jurisdiction"
        if event.type == "jurisdiction.founded.v1":
            return None if sha256(entry.value) == self.genesis else "signature"
        return objection_to_signature(self.world.keys, event, entry.value, entry.headers, at)

    # Who hears of it

    def _route(self, judged: Judged, event: Event, race: Referral | None, members: set[str]) -> None:
        for newcomer in self.world.members.keys() - members:
            self.inboxes[newcomer] += self._told_to_all
        for member in self._audience(judged, event, race) & self.world.members.keys():
            self.inboxes[member].append(judged)
        if judged.outcome == "effective" and HEARD_BY[event.type] == "all":
            self._told_to_all.append(judged)

    def _audience(self, judged: Judged, event: Event, race: Referral | None) -> set[str]:
        if judged.outcome == "duplicate":
            return set()
        emitter = {event.emitter} - {EXCHANGE}
        if judged.outcome == "effective":
            return emitter | self._hearers(event)
        # Who lost a race on a referral that both sides know is seen by both; what else failed, by its emitter alone.
        if judged.outcome == "ineffective" and race is not None and event.emitter in (race.source, race.target):
            return emitter | self._hearers(event)
        return emitter

    def _hearers(self, event: Event) -> set[str]:
        who, referral = HEARD_BY[event.type], self._sides(event)
        if who == "all":
            return set(self.world.members)
        if who in ("coordinator", "named"):
            return {self.world.coordinator if who == "coordinator" else event.data["member"]}
        if referral is not None:
            return _sides_that_hear(who, referral, event)
        case = self.world.cases.get(event.subject)
        basis = case.bases.get(event.data.get("basis") or "") if case is not None and who != "nobody" else None
        return {basis.owner} if basis is not None else set()

    def _sides(self, event: Event) -> Referral | None:
        case = self.world.cases.get(event.subject)
        return case.referrals.get(event.referral or "") if case is not None else None


def _sides_that_hear(who: str, referral: Referral, event: Event) -> set[str]:
    both = {referral.source, referral.target}
    if who == "who waits and who owes":
        # A next step after a refusal concerns the source alone.
        return {referral.source} if event.data["step"] == "next_referral" else both
    return {
        "nobody": set[str](),
        "source": {referral.source},
        "target": {referral.target},
        "the other": {referral.other(event.emitter)},
        "both": both,
    }[who]


def history_of(evidence: Evidence) -> History:
    """What follows from the record that was found."""
    history = History(World(evidence.jurisdiction), evidence.generation, evidence.genesis)
    for entry in evidence.record:
        history.take(entry)
    return history
