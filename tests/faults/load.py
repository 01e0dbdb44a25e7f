"""Referrals between agencies over their public HTTP APIs, with races on purpose; every success is noted at once."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import httpx

from handoff import clock
from handoff.operations.setup.installation import Process
from history_checker.answered_commands import AnsweredCommandLog

_RUN = UUID("5a0c8a0e-0d55-5d0e-8f0d-0a3c1d7d5e01")
_AGAIN_SECONDS = 0.3
_HTTP_SECONDS = 5
_LATER = 503
_PATIENCE_SECONDS = 45
# Longer than any part is away, its own start included: a node that says nothing for so long never will.
_LONGEST_SILENCE_SECONDS = 180
# When the answer is about to be late: the deadline is two seconds after delivery, and the exchange waits two more.
DEADLINE_SECONDS = 2
_RACE_AT = (3.4, 4.6)
_STORIES_BEGIN_EVERY = 0.5

Json = dict[str, Any]


@dataclass
class System:
    """One agency's own system: it repeats a request under one key until it has an answer, and notes a success."""

    name: str
    doors: tuple[httpx.AsyncClient, ...]
    """One for each process of its node: at the next it asks where this one is silent."""
    log: AnsweredCommandLog
    requests: int = 0
    refused: int = 0
    """How often it was told to come again later, because the node could store nothing."""
    waits: list[tuple[float, float]] = field(default_factory=list)

    @property
    def http(self) -> httpx.AsyncClient:
        """The door at which it asks now."""
        return self.doors[0]

    def _go_to_the_next_door(self) -> None:
        self.doors = (*self.doors[1:], self.doors[0])

    async def say(self, path: str, body: Json | None = None) -> Json | None:
        """A command; its answer, or None where it was refused."""
        self.requests += 1
        key = str(uuid5(_RUN, f"{self.name}/{self.requests}"))
        began = time.monotonic()
        answer = await self._until_answered(path, body or {}, key)
        self.waits.append((began, time.monotonic() - began))
        if answer.status_code >= 500:
            raise AssertionError(f"{self.name} answered {answer.status_code} to {path}: {answer.text}")
        if answer.status_code >= 300:
            return None
        told: Json = answer.json()
        self.log.append(self.name, told["case"], told["events"])
        return told

    async def _until_answered(self, path: str, body: Json, key: str) -> httpx.Response:
        deadline, said = time.monotonic() + _LONGEST_SILENCE_SECONDS, ""
        while time.monotonic() < deadline:
            try:
                answer = await self.http.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                said = type(error).__name__
                self._go_to_the_next_door()
            else:
                if answer.status_code != _LATER:
                    return answer
                said = answer.text
                self.refused += 1
            await asyncio.sleep(_AGAIN_SECONDS)
        raise AssertionError(f"{self.name} did not take {path} for {_LONGEST_SILENCE_SECONDS} s, at last: {said}")

    async def sees(self, path: str, **wanted: str) -> bool:
        """Whether what is at ``path`` comes to be as wanted before patience ends."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = await self.http.get(path)
            except httpx.TransportError:
                self._go_to_the_next_door()
                answer = None
            if answer is not None and answer.status_code == 200:
                found = answer.json()
                if all(found.get(name) == value for name, value in wanted.items()):
                    return True
            await asyncio.sleep(_AGAIN_SECONDS)
        return False


@dataclass(frozen=True, slots=True)
class Ask:
    """Who may ask whom for what, for which purpose of a release, and with which start and outcome it is done."""

    source: str
    target: str
    service: str
    purpose: str
    start: str
    outcome: str


ASKS = (
    Ask("police", "shelter", "shelter", "arrange_shelter", "arrival", "discharge.own_wish"),
    Ask("police", "social_work", "case_management", "case_management", "first_contact", "service_given"),
    Ask("social_work", "shelter", "psychosocial", "health_care", "work_begun", "service_given"),
    Ask("social_work", "legal_aid", "legal_aid", "legal_representation", "first_contact", "represented"),
    Ask("shelter", "social_work", "case_management", "case_management", "first_contact", "service_given"),
    Ask("legal_aid", "police", "police_protection", "protection_order_support", "work_begun", "service_given"),
)


@dataclass
class Story:
    """One case with one referral in it, from its opening to its end."""

    ask: Ask
    source: System
    target: System
    dice: random.Random
    case: str = ""
    referral: str = ""

    @property
    def path(self) -> str:
        return f"/cases/{self.case}/referrals/{self.referral}"

    async def tell(self) -> None:
        """Opens the case, asks, and lets one of the races happen."""
        await self._begin()
        if await self.target.sees(self.path, state="requested"):
            race = self.dice.choice(_RACES)
            await race(self)
            await self._end()

    async def _begin(self) -> None:
        opened = await self.source.say("/cases", {"entry_point": "police_call", "reporting_delay": "unknown"})
        self.case = _the(opened)["case"]
        release = {
            "kind": "release.oral_witnessed",
            "purpose": self.ask.purpose,
            "recipient": self.ask.target,
            "expires_at": (clock.now() + timedelta(days=30)).isoformat(),
        }
        basis = _the(await self.source.say(f"/cases/{self.case}/bases", release))["basis"]
        urgency = self.dice.choice(("emergency", "normal"))
        request = {"target": self.ask.target, "service": self.ask.service, "urgency": urgency, "basis": basis}
        self.referral = _the(await self.source.say(f"/cases/{self.case}/referrals", request))["referral"]

    async def accept_against_cancel(self) -> None:
        """The target says yes while the source calls it off."""
        await self._at_once(self._accept(), self.source.say(f"{self.path}/cancellation"))

    async def accept_against_withdrawal(self) -> None:
        """The target says yes while she takes back her release."""
        await self._at_once(self._accept(), self.source.say(f"/cases/{self.case}/withdrawals", {"scope": "all"}))

    async def answer_against_deadline(self) -> None:
        """The target answers in the moment in which the exchange says that it is late."""
        await asyncio.sleep(self.dice.uniform(*_RACE_AT))
        await self._accept()

    async def refuse_against_cancel(self) -> None:
        """The target says no while the source calls it off."""
        refusal = self.target.say(f"{self.path}/rejection", {"code": "outside_mandate"})
        await self._at_once(refusal, self.source.say(f"{self.path}/cancellation"))

    async def calm(self) -> None:
        """A person opens it, and takes it on."""
        await self.target.say(f"{self.path}/opening")
        await self._accept()

    async def _accept(self) -> None:
        await self.target.say(f"{self.path}/acceptance")

    async def _at_once(self, *acts: Awaitable[object]) -> None:
        await asyncio.gather(*(self._soon(act) for act in acts))

    async def _soon(self, act: Awaitable[object]) -> None:
        await asyncio.sleep(self.dice.uniform(0, 0.05))
        await act

    async def _end(self) -> None:
        await self.target.say(f"{self.path}/start", {"kind": self.ask.start})
        if self.dice.random() < 0.5:
            await self.source.say(f"{self.path}/cancellation-request")
            await self.target.say(f"{self.path}/cancellation-refusal")
        await self.target.say(f"{self.path}/completion", {"outcome": self.ask.outcome})


def _the(answer: Json | None) -> Json:
    if answer is None:
        raise AssertionError("the beginning of a story was refused")
    return answer


_RACES: tuple[Callable[[Story], Awaitable[None]], ...] = (
    Story.accept_against_cancel,
    Story.accept_against_withdrawal,
    Story.answer_against_deadline,
    Story.refuse_against_cancel,
    Story.calm,
)


class Load:
    """Stories that begin again and again until they are told to stop."""

    def __init__(self, twins: Callable[[str], Iterable[Process]], log: AnsweredCommandLog, seed: int) -> None:
        names = {name for ask in ASKS for name in (ask.source, ask.target)}
        self.systems = {name: System(name, tuple(map(_client, twins(name))), log) for name in sorted(names)}
        self._log = log
        self._dice = random.Random(seed)
        self._stopping = asyncio.Event()
        self.told = 0

    @property
    def answered(self) -> int:
        """How many events were answered with success up to now."""
        return self._log.count

    @property
    def refused(self) -> int:
        """How many requests were refused up to now because a node could store nothing."""
        return sum(system.refused for system in self.systems.values())

    async def run(self) -> None:
        """Tells stories, two a second, until ``stop``; then lets those under way end."""
        async with asyncio.TaskGroup() as stories:
            while not self._stopping.is_set():
                stories.create_task(self._story().tell())
                self.told += 1
                await asyncio.sleep(_STORIES_BEGIN_EVERY)

    def _story(self) -> Story:
        ask = self._dice.choice(ASKS)
        dice = random.Random(self._dice.random())
        return Story(ask, self.systems[ask.source], self.systems[ask.target], dice)

    def stop(self) -> None:
        """No story begins any more."""
        self._stopping.set()

    def longest_wait(self, start: float, end: float) -> float:
        """The longest time for which somebody waited for an answer to a command of that span."""
        waits = (w for system in self.systems.values() for began, w in system.waits if start <= began < end)
        return max(waits, default=0.0)

    async def close(self) -> None:
        """Ends its connections."""
        for system in self.systems.values():
            for door in system.doors:
                await door.aclose()


def _client(process: Process) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {process.token}"}
    return httpx.AsyncClient(base_url=process.url, headers=headers, timeout=_HTTP_SECONDS)
