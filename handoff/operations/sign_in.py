"""The one-time link by which an auditor comes in to a trial's pages."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.config import ProcessSettings
from handoff.operations.installation_settings import url
from handoff.record.envelope import Source


async def sign_in_link(settings: ProcessSettings, now: datetime) -> str:
    """A link to the audit's pages that lets somebody in once, within the hour; a trial knows one auditor.

    ``settings`` are those of the audit's process. Raises StoreUnavailable.
    """
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    auditor = uuid5(NAMESPACE_URL, f"{me}/whoever has the terminal")
    async with open_pool(settings.postgres, max_size=1) as pool:
        token = await SignInSessions(pool).create_link(auditor, now)
    return f"{url(settings)}/enter/{token}"
