"""The audit's published OpenAPI document.

``python -m handoff.audit.api.published_openapi --check`` fails if the committed file differs from the code; ``--write``
updates it.
"""

import sys
from collections.abc import Mapping
from typing import Any

from handoff.audit.api.definition import AUDIT_API
from handoff.audit.app import Parts, furnish
from handoff.record.envelope import Source
from handoff.web.app import create_app
from handoff.web.published_openapi import UnusedDesk, main, text


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the audit's API; pages are no part of it."""
    nowhere: Any = None
    app = create_app(UnusedDesk(), member="audit", token="", api=AUDIT_API)
    me = Source("prizren", 1, "audit")
    furnish(app, Parts(me=me, token="", desk=UnusedDesk(), own=nowhere, timeline=nowhere, timeline_settings=nowhere))
    return app.openapi()


def documents() -> Mapping[str, str]:
    """File name → text, as the code has it now."""
    return {"audit.json": text(document())}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], documents()))
