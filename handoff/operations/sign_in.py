"""One-time links to the pages of the audit and of the board."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.config import ProcessSettings
from handoff.operations.installation_settings import process_url
from handoff.record.envelope import Source


async def sign_in_link(settings: ProcessSettings, now: datetime, *, base_url: str | None = None) -> str:
    """Create a link that signs one person in, once, within an hour. Raises StoreUnavailable.

    ``settings`` are those of the process that serves the site; ``base_url`` is its public address if a
    proxy is in front of it.
    All sign-ins by link are one reader: the operator with access to its database.
    """
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    # The text determines the reader's id, which is on the record: do not change it.
    reader = uuid5(NAMESPACE_URL, f"{me}/whoever has the terminal")
    async with open_pool(settings.postgres, max_size=1) as pool:
        token = await SignInSessions(pool).create_link(reader, now)
    return f"{(base_url or process_url(settings)).rstrip('/')}/enter/{token}"
