"""`handoff sign-in`: a link that lets an auditor in to the timeline's pages, once."""

import asyncio

from handoff.cli import options
from handoff.cli.output import UNREACHABLE, JsonFlag, emit, fail, failures


def sign_in(state: options.StateOption = options.DEFAULT_STATE, *, as_json: JsonFlag = False) -> None:
    """Print a one-time link to the timeline's pages. It is good for an hour; the session that it begins for eight."""
    from handoff import clock
    from handoff.node.commands.results import StoreUnavailable
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.sign_in import sign_in_link
    from handoff.record.topics import AUDIT

    with failures():
        audit = InstallationSettings(state).process(AUDIT)
        try:
            link = asyncio.run(sign_in_link(audit, clock.now()))
        except StoreUnavailable:
            fail("the audit's database cannot be reached; `handoff up` starts it", UNREACHABLE)
        emit({"link": link}, lambda console: console.print(link, soft_wrap=True), as_json=as_json)
