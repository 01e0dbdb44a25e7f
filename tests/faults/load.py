"""Load: referrals between agencies over their HTTP APIs, with deliberate races. Every success is logged."""

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
_RETRY_SECONDS = 0.3
_HTTP_SECONDS = 5
_UNAVAILABLE = 503
_STATE_TIMEOUT_SECONDS = 45
# Longer than the longest outage, including the restart of the part.
_ANSWER_TIMEOUT_SECONDS = 180
# Around the moment of the miss: the deadline is two seconds after delivery, and the exchange waits two more.
DEADLINE_SECONDS = 2
_RACE_SECONDS = (3.4, 4.6)
_SCENARIO_INTERVAL_SECONDS = 0.5

Json = dict[str, Any]


@dataclass
class AgencyClient:
    """Client of one agency. Retries a command under one key until it is answered, and logs a success."""

    name: str
    endpoints: tuple[httpx.AsyncClient, ...]
    """One for each process of the node. The client fails over when the first one does not answer."""
    log: AnsweredCommandLog
    requests: int = 0
    refused: int = 0
    """Number of answers with 503, because the node could not store the command."""
    waits: list[tuple[float, float]] = field(default_factory=list)
    """Start and duration of each command."""

    @property
    def http(self) -> httpx.AsyncClient:
        """Current endpoint."""
        return self.endpoints[0]

    def _fail_over(self) -> None:
        self.endpoints = (*self.endpoints[1:], self.endpoints[0])

    async def send(self, path: str, body: Json | None = None) -> Json | None:
        """Send a command. Return its answer, or None if it was refused."""
        self.requests += 1
        key = str(uuid5(_RUN, f"{self.name}/{self.requests}"))
        began = time.monotonic()
        answer = await self._until_answered(path, body or {}, key)
        self.waits.append((began, time.monotonic() - began))
        if answer.status_code >= 500:
            raise AssertionError(f"{self.name} answered {answer.status_code} to {path}: {answer.text}")
        if answer.status_code >= 300:
            return None
        result: Json = answer.json()
        self.log.append(self.name, result["case"], result["events"])
        return result

    async def _until_answered(self, path: str, body: Json, key: str) -> httpx.Response:
        deadline, last_answer = time.monotonic() + _ANSWER_TIMEOUT_SECONDS, ""
        while time.monotonic() < deadline:
            try:
                answer = await self.http.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                last_answer = type(error).__name__
                self._fail_over()
            else:
                if answer.status_code != _UNAVAILABLE:
                    return answer
                last_answer = answer.text
                self.refused += 1
            await asyncio.sleep(_RETRY_SECONDS)
        raise AssertionError(f"timed out after {_ANSWER_TIMEOUT_SECONDS} s: {self.name} {path}: {last_answer}")

    async def until_fields(self, path: str, **expected: str) -> bool:
        """Poll ``path`` until it has the expected fields. Return False after a timeout."""
        deadline = time.monotonic() + _STATE_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = await self.http.get(path)
            except httpx.TransportError:
                self._fail_over()
                answer = None
            if answer is not None and answer.status_code == 200:
                body = answer.json()
                if all(body.get(name) == value for name, value in expected.items()):
                    return True
            await asyncio.sleep(_RETRY_SECONDS)
        return False


@dataclass(frozen=True, slots=True)
class ReferralKind:
    """Referral between two agencies, with the purpose of its release, its start and its outcome."""

    source: str
    target: str
    service: str
    purpose: str
    start: str
    outcome: str


REFERRAL_KINDS = (
    ReferralKind("police", "shelter", "shelter", "arrange_shelter", "arrival", "discharge.own_wish"),
    ReferralKind("police", "social_work", "case_management", "case_management", "first_contact", "service_given"),
    ReferralKind("social_work", "shelter", "psychosocial", "health_care", "work_begun", "service_given"),
    ReferralKind("social_work", "legal_aid", "legal_aid", "legal_representation", "first_contact", "represented"),
    ReferralKind("shelter", "social_work", "case_management", "case_management", "first_contact", "service_given"),
    ReferralKind("legal_aid", "police", "police_protection", "protection_order_support", "work_begun", "service_given"),
)


@dataclass
class Scenario:
    """One case with one referral, from its opening to its end."""

    kind: ReferralKind
    source: AgencyClient
    target: AgencyClient
    random: random.Random
    case: str = ""
    referral: str = ""

    @property
    def path(self) -> str:
        return f"/cases/{self.case}/referrals/{self.referral}"

    async def run(self) -> None:
        """Open the case, request the referral, and run one of the races."""
        await self._request()
        if await self.target.until_fields(self.path, state="requested"):
            race = self.random.choice(_RACES)
            await race(self)
            await self._complete()

    async def _request(self) -> None:
        opened = await self.source.send("/cases", {"entry_point": "police_call", "reporting_delay": "unknown"})
        self.case = _answered(opened)["case"]
        release = {
            "kind": "release.oral_witnessed",
            "purpose": self.kind.purpose,
            "recipient": self.kind.target,
            "expires_at": (clock.now() + timedelta(days=30)).isoformat(),
        }
        basis = _answered(await self.source.send(f"/cases/{self.case}/bases", release))["basis"]
        urgency = self.random.choice(("emergency", "normal"))
        request = {"target": self.kind.target, "service": self.kind.service, "urgency": urgency, "basis": basis}
        self.referral = _answered(await self.source.send(f"/cases/{self.case}/referrals", request))["referral"]

    async def accept_against_cancel(self) -> None:
        """The target accepts while the source cancels."""
        await self._concurrently(self._accept(), self.source.send(f"{self.path}/cancellation"))

    async def accept_against_withdrawal(self) -> None:
        """The target accepts while the survivor withdraws her release."""
        await self._concurrently(self._accept(), self.source.send(f"/cases/{self.case}/withdrawals", {"scope": "all"}))

    async def answer_against_deadline(self) -> None:
        """The target accepts at the moment at which the exchange reports the deadline as missed."""
        await asyncio.sleep(self.random.uniform(*_RACE_SECONDS))
        await self._accept()

    async def refuse_against_cancel(self) -> None:
        """The target rejects while the source cancels."""
        refusal = self.target.send(f"{self.path}/rejection", {"code": "outside_mandate"})
        await self._concurrently(refusal, self.source.send(f"{self.path}/cancellation"))

    async def no_race(self) -> None:
        """The target opens the referral and accepts it."""
        await self.target.send(f"{self.path}/opening")
        await self._accept()

    async def _accept(self) -> None:
        await self.target.send(f"{self.path}/acceptance")

    async def _concurrently(self, *requests: Awaitable[object]) -> None:
        await asyncio.gather(*(self._after_jitter(request) for request in requests))

    async def _after_jitter(self, request: Awaitable[object]) -> None:
        await asyncio.sleep(self.random.uniform(0, 0.05))
        await request

    async def _complete(self) -> None:
        await self.target.send(f"{self.path}/start", {"kind": self.kind.start})
        if self.random.random() < 0.5:
            await self.source.send(f"{self.path}/cancellation-request")
            await self.target.send(f"{self.path}/cancellation-refusal")
        await self.target.send(f"{self.path}/completion", {"outcome": self.kind.outcome})


def _answered(answer: Json | None) -> Json:
    if answer is None:
        raise AssertionError("a command before the race was refused")
    return answer


_RACES: tuple[Callable[[Scenario], Awaitable[None]], ...] = (
    Scenario.accept_against_cancel,
    Scenario.accept_against_withdrawal,
    Scenario.answer_against_deadline,
    Scenario.refuse_against_cancel,
    Scenario.no_race,
)


class Load:
    """Scenarios, started two a second until ``stop``."""

    def __init__(self, replicas: Callable[[str], Iterable[Process]], log: AnsweredCommandLog, seed: int) -> None:
        names = {name for kind in REFERRAL_KINDS for name in (kind.source, kind.target)}
        self.clients = {
            name: AgencyClient(name, tuple(map(_http_client, replicas(name))), log) for name in sorted(names)
        }
        self._log = log
        self._random = random.Random(seed)
        self._stopping = asyncio.Event()
        self.scenarios = 0

    @property
    def answered(self) -> int:
        """Number of events answered with success so far."""
        return self._log.count

    @property
    def refused(self) -> int:
        """Number of requests refused so far because a node could not store them."""
        return sum(client.refused for client in self.clients.values())

    async def run(self) -> None:
        """Start scenarios until ``stop``, then wait until all have ended."""
        async with asyncio.TaskGroup() as scenarios:
            while not self._stopping.is_set():
                scenarios.create_task(self._next_scenario().run())
                self.scenarios += 1
                await asyncio.sleep(_SCENARIO_INTERVAL_SECONDS)

    def _next_scenario(self) -> Scenario:
        kind = self._random.choice(REFERRAL_KINDS)
        seed = self._random.random()
        return Scenario(kind, self.clients[kind.source], self.clients[kind.target], random.Random(seed))

    def stop(self) -> None:
        """Start no more scenarios."""
        self._stopping.set()

    def longest_wait(self, start: float, end: float) -> float:
        """Return the longest wait for an answer among the commands sent in the span."""
        waits = (w for client in self.clients.values() for began, w in client.waits if start <= began < end)
        return max(waits, default=0.0)

    async def close(self) -> None:
        """Close all connections."""
        for client in self.clients.values():
            for endpoint in client.endpoints:
                await endpoint.aclose()


def _http_client(process: Process) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {process.token}"}
    return httpx.AsyncClient(base_url=process.url, headers=headers, timeout=_HTTP_SECONDS)
