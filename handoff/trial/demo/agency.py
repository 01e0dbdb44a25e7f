"""An agency's own system, as it talks to its node: over the public HTTP API and nothing else."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

import httpx

from handoff.trial.errors import TrialError

Json = Mapping[str, Any]
T = TypeVar("T")

_PATIENCE_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.04


class Agency:
    """One agency's system: bearer token, idempotency keys, and patience."""

    def __init__(self, name: str, url: str, token: str, run: UUID) -> None:
        self.name = name
        # Loopback alone: certificates would be loaded for every agency and never be used.
        plain = httpx.HTTPTransport(verify=False)
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, transport=plain, trust_env=False
        )
        self._run = run
        self._requests = 0

    def say(self, path: str, body: Json | None = None, *, at: datetime | None = None, wait: bool = True) -> Json:
        """A command that must be taken; with ``wait`` its echo must come back as well. The answer's document."""
        answer = self.attempt(path, body, at=at, wait=wait)
        if answer.status_code not in {200, 201, 202}:
            raise TrialError(f"{self.name}: POST {path} was answered {answer.status_code}: {answer.text}")
        document: Json = answer.json()
        if wait and document["status"] != "effective":
            raise TrialError(f"{self.name}: POST {path} came back {document['status']} ({document.get('reason')})")
        return document

    def attempt(
        self, path: str, body: Json | None = None, *, at: datetime | None = None, wait: bool = False
    ) -> httpx.Response:
        """A command, whatever the answer is."""
        self._requests += 1
        headers = {"Idempotency-Key": str(uuid5(self._run, f"{self.name}/{self._requests}"))}
        if wait:
            headers["Prefer"] = f"wait={_PATIENCE_SECONDS:.0f}"
        claimed = {"occurred_at": at.isoformat()} if at is not None else {}
        return self._http.post(path, json={**(body or {}), **claimed}, headers=headers)

    def look(self, path: str, **query: str | int) -> Json:
        """What the node knows at ``path``."""
        return self._shown(path, self._http.get(path, params=query))

    def read(self, path: str, purpose: str) -> Json:
        """What the audit shows of a case to its auditors' system, for that purpose."""
        return self._shown(path, self._http.get(path, headers={"Read-Purpose": purpose}))

    def _shown(self, path: str, answer: httpx.Response) -> Json:
        if answer.status_code != 200:
            raise TrialError(f"{self.name}: GET {path} was answered {answer.status_code}: {answer.text}")
        found: Json = answer.json()
        return found

    def knows(self, path: str) -> bool:
        """Whether there is anything at ``path``."""
        return self._http.get(path).status_code == 200

    def sees(self, case: str, **wanted: str) -> Json:
        """The referral of ``case`` whose fields are ``wanted``, as soon as this node has folded it."""
        return until(f"{self.name} sees a referral with {wanted}", lambda: self._find(f"/cases/{case}", wanted))

    def _find(self, path: str, wanted: Mapping[str, str]) -> Json | None:
        answer = self._http.get(path)
        found = answer.json()["referrals"] if answer.status_code == 200 else []
        return next((r for r in found if all(r.get(name) == value for name, value in wanted.items())), None)

    def hears(self, event_type: str, **wanted: str) -> Json:
        """The first feed entry of that type whose verdict, reason or data fields are ``wanted``."""
        return until(
            f"{self.name} hears {event_type} with {wanted}",
            lambda: next((entry for entry in self._feed() if _is(entry, event_type, wanted)), None),
        )

    def heard(self, event_type: str) -> list[Json]:
        """Every feed entry of that type up to now."""
        return [entry for entry in self._feed() if _is(entry, event_type, {})]

    def _feed(self) -> list[Json]:
        entries: list[Json] = []
        after = 0
        while page := self.look("/feed", after=after, limit=200)["entries"]:
            entries += page
            after = page[-1]["sequence"]
        return entries

    def close(self) -> None:
        """Ends its connections."""
        self._http.close()


def _is(entry: Json, event_type: str, wanted: Mapping[str, str]) -> bool:
    event = entry.get("event") or {}
    fields = {**event.get("data", {}), **{name: entry.get(name) for name in ("verdict", "reason")}}
    return event.get("type") == event_type and all(fields.get(name) == value for name, value in wanted.items())


def until(what: str, look: Callable[[], T | None]) -> T:
    """What ``look`` finds, as soon as it does. Raises TrialError naming ``what`` after twenty seconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TrialError(f"waited {_PATIENCE_SECONDS:.0f} s in vain until {what}")
        time.sleep(_LOOK_AGAIN_SECONDS)
    return found
