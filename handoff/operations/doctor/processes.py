"""Checks of the processes, each asked for its readiness over HTTP."""

from dataclasses import dataclass

import httpx

from handoff import clock
from handoff.config import ProcessSettings
from handoff.operations.doctor.clocks import ClockReading, http_reading
from handoff.operations.doctor.findings import DoctorFinding, start_advice
from handoff.operations.installation_settings import health_url, listens_everywhere

_SECONDS = 5
# Parts that a process asks again until they answer.
_RETRIED = frozenset({"broker", "database", "timeline"})


@dataclass(frozen=True, slots=True)
class ProcessAnswer:
    """Finding about a process, and its clock if it answered."""

    finding: DoctorFinding
    clock: ClockReading | None = None


async def ask_process(settings: ProcessSettings, *, several: bool = False) -> ProcessAnswer:
    """Ask a process for its readiness. ``several`` is true if the settings are those of several machines."""
    if several and listens_everywhere(settings):
        elsewhere = "its settings name no address: it listens on every address of its own machine"
        return ProcessAnswer(DoctorFinding(settings.member, "unchecked", f"{elsewhere}; run `handoff doctor` there"))
    url = health_url(settings)
    before = clock.now()
    try:
        # The parts of an installation are asked directly, whatever proxy the environment names. The certificate is
        # not checked: the request has no secret, and the settings of a process do not name its authority.
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False, verify=False) as client:  # noqa: S501
            response = await client.get(f"{url}/health/ready")
        parts = response.json().get("parts", [])
        finding = _readiness(settings.member, parts, is_ready=response.status_code == httpx.codes.OK)
    except httpx.TransportError:
        return ProcessAnswer(
            DoctorFinding(settings.member, "bad", f"does not respond at {url}", start_advice(settings.member))
        )
    except (ValueError, AttributeError, LookupError, TypeError):
        advice = f"stop the other program, or correct health.port in the settings of {settings.member}"
        return ProcessAnswer(DoctorFinding(settings.member, "bad", f"another program answers at {url}", advice))
    return ProcessAnswer(finding, http_reading(settings.member, response.headers.get("Date"), before, clock.now()))


def _readiness(member: str, parts: list[dict[str, str]], *, is_ready: bool) -> DoctorFinding:
    failing = {part["name"]: part.get("detail") or "not ready" for part in parts if not part["ready"]}
    described = "; ".join(f"{name}: {detail}" for name, detail in failing.items())
    if is_ready and not failing:
        detail = "; ".join(f"{part['name']}: {part.get('detail') or 'ready'}" for part in parts)
        return DoctorFinding(member, "ok", detail)
    if failing and failing.keys() <= _RETRIED:
        advice = "see the findings about the broker and the databases; the process retries, and needs no restart"
    elif failing.get("inbox", "").startswith("stopped"):
        advice = "see docs/runbook.md, An inbox has stopped: a restart does not help"
    else:
        advice = "read its log and docs/runbook.md"
    if is_ready:
        advice = f"{advice}; it still takes commands"
    return DoctorFinding(member, "bad", described or "not ready", advice)
