"""`handoff sign-in`: a one-time link to the timeline's pages."""

import asyncio
from typing import Annotated

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import UNREACHABLE, JsonFlag, emit, fail, failures

UrlOption = Annotated[
    str | None,
    typer.Option("--base-url", help="Public URL of the audit, if a proxy is in front of it.", show_default=False),
]


def sign_in(state: StateOption = DEFAULT_STATE, base_url: UrlOption = None, *, as_json: JsonFlag = False) -> None:
    """Print a one-time link to the timeline's pages. It is valid for an hour, and its session for eight hours."""
    from handoff import clock
    from handoff.node.commands.results import StoreUnavailable
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.sign_in import sign_in_link
    from handoff.record.topics import AUDIT

    with failures():
        audit = InstallationSettings(state).process(AUDIT)
        try:
            link = asyncio.run(sign_in_link(audit, clock.now(), base_url=base_url))
        except StoreUnavailable as error:
            fail(f"the database of the audit is not available: {error}", UNREACHABLE)
    emit({"link": link}, lambda console: console.print(link, soft_wrap=True), as_json=as_json)
