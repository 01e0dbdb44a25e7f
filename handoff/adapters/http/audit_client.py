"""Client of the audit API, from which a node requests receipts."""

import ssl
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import httpx

from handoff.adapters.http.proxies import is_internal
from handoff.config import AuditSettings
from handoff.node.attestation.receipts import AuditUnavailable
from handoff.record.envelope import Identity

TIMEOUT_SECONDS = 10.0


class AuditClient:
    """``Audit`` over HTTP."""

    def __init__(self, settings: AuditSettings) -> None:
        self._url = settings.url.rstrip("/") + "/receipts"
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        # Created once: a client reads every trusted certificate of the machine, which blocks the event loop.
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            trust_env=not is_internal(settings.url),
            verify=True if settings.ca_file is None else ssl.create_default_context(cafile=settings.ca_file),
        )

    async def receipts(self, events: Iterable[Identity]) -> Mapping[Identity, bytes]:
        body = {"events": [{"case": one.subject, "source": one.source, "id": str(one.event_id)} for one in events]}
        try:
            answer = await self._http.post(self._url, json=body)
            answer.raise_for_status()
            return _read(answer.json())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AuditUnavailable(type(error).__name__) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise AuditUnavailable("malformed answer") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _read(document: Any) -> Mapping[Identity, bytes]:
    return {
        Identity(row["case"], row["source"], UUID(row["id"])): row["receipt"].encode() for row in document["receipts"]
    }
