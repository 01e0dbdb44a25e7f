"""Client of an agency's own system, which uses its node only through the public HTTP API."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

import httpx

from handoff.trial.errors import TrialError

Json = Mapping[str, Any]
T = TypeVar("T")

_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.04


class Agency:
    """Client with a bearer token and idempotency keys. It waits up to 20 seconds for an expected result."""

    def __init__(self, name: str, url: str, token: str, run: UUID) -> None:
        self.name = name
        # All requests go to loopback: do not load certificates for every agency.
        plain = httpx.HTTPTransport(verify=False)
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, transport=plain, trust_env=False
        )
        self._run = run
        self._requests = 0

    def command(self, path: str, body: Json | None = None, *, at: datetime | None = None, wait: bool = True) -> Json:
        """Send a command that must be accepted and, with ``wait``, be effective. Return the response's document."""
        response = self.try_command(path, body, at=at, wait=wait)
        if response.status_code not in {200, 201, 202}:
            raise TrialError(f"{self.name}: POST {path} returned {response.status_code}: {response.text}")
        document: Json = response.json()
        if wait and document["status"] != "effective":
            raise TrialError(f"{self.name}: POST {path} became {document['status']}")
        return document

    def try_command(
        self, path: str, body: Json | None = None, *, at: datetime | None = None, wait: bool = False
    ) -> httpx.Response:
        """Send a command and return the response, whatever it is."""
        self._requests += 1
        headers = {"Idempotency-Key": str(uuid5(self._run, f"{self.name}/{self._requests}"))}
        if wait:
            headers["Prefer"] = f"wait={_TIMEOUT_SECONDS:.0f}"
        claimed = {"occurred_at": at.isoformat()} if at is not None else {}
        return self._http.post(path, json={**(body or {}), **claimed}, headers=headers)

    def get(self, path: str, **query: str | int) -> Json:
        """Read a resource of the node."""
        return self._document(path, self._http.get(path, params=query))

    def audit_read(self, path: str, purpose: str) -> Json:
        """Read a resource of the audit API for a purpose."""
        return self._document(path, self._http.get(path, headers={"Read-Purpose": purpose}))

    def _document(self, path: str, response: httpx.Response) -> Json:
        if response.status_code != 200:
            raise TrialError(f"{self.name}: GET {path} returned {response.status_code}: {response.text}")
        found: Json = response.json()
        return found

    def exists(self, path: str) -> bool:
        """Return whether the node has a resource at ``path``."""
        return self._http.get(path).status_code == 200

    def wait_for_referral(self, case: str, **wanted: str) -> Json:
        """Wait until the node has a referral of ``case`` with the fields ``wanted``; return it."""
        return wait_until(f"{self.name} has a referral with {wanted}", lambda: self._find(f"/cases/{case}", wanted))

    def _find(self, path: str, wanted: Mapping[str, str]) -> Json | None:
        response = self._http.get(path)
        found = response.json()["referrals"] if response.status_code == 200 else []
        return next((r for r in found if all(r.get(name) == value for name, value in wanted.items())), None)

    def wait_for_event(self, event_type: str, **wanted: str) -> Json:
        """Wait for the first feed entry of a type with the verdict, reason or data fields ``wanted``; return it."""
        return wait_until(
            f"{self.name} receives {event_type} with {wanted}",
            lambda: next((entry for entry in self._feed() if _is(entry, event_type, wanted)), None),
        )

    def events(self, event_type: str) -> list[Json]:
        """All feed entries of a type up to now."""
        return [entry for entry in self._feed() if _is(entry, event_type, {})]

    def _feed(self) -> list[Json]:
        entries: list[Json] = []
        after = 0
        while page := self.get("/feed", after=after, limit=200)["entries"]:
            entries += page
            after = page[-1]["sequence"]
        return entries

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _is(entry: Json, event_type: str, wanted: Mapping[str, str]) -> bool:
    event = entry.get("event") or {}
    fields = {**event.get("data", {}), **{name: entry.get(name) for name in ("verdict", "reason")}}
    return event.get("type") == event_type and all(fields.get(name) == value for name, value in wanted.items())


def wait_until(expected: str, probe: Callable[[], T | None]) -> T:
    """Poll ``probe`` until it returns a value; return that. Raises TrialError, which names ``expected``, after 20 s."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while (found := probe()) is None:
        if time.monotonic() > deadline:
            raise TrialError(f"timed out after {_TIMEOUT_SECONDS:.0f} s waiting for: {expected}")
        time.sleep(_POLL_SECONDS)
    return found
