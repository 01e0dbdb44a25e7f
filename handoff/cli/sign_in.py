"""`handoff sign-in`: a one-time link to the timeline's pages, or to the coordinator's board."""

import asyncio
from typing import Annotated

import typer

from handoff.cli.options import DEFAULT_STATE, StateOption
from handoff.cli.output import UNREACHABLE, JsonFlag, emit, fail, failures

UrlOption = Annotated[
    str | None,
    typer.Option("--base-url", help="Public URL of the site, if a proxy is in front of it.", show_default=False),
]
BoardFlag = Annotated[bool, typer.Option("--board", help="To the coordinator's board instead.")]


def sign_in(
    state: StateOption = DEFAULT_STATE,
    base_url: UrlOption = None,
    *,
    board: BoardFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Print a one-time link to the timeline's pages. It is valid for an hour, and its session for eight hours."""
    from handoff import clock
    from handoff.node.commands.results import StoreUnavailable
    from handoff.operations.installation_settings import InstallationSettings
    from handoff.operations.sign_in import sign_in_link
    from handoff.record.envelope import COORDINATION
    from handoff.record.topics import AUDIT

    member = COORDINATION if board else AUDIT
    with failures():
        site = InstallationSettings(state).process(member)
        try:
            link = asyncio.run(sign_in_link(site, clock.now(), base_url=base_url))
        except StoreUnavailable as error:
            fail(f"the database of {member} is not available: {error}", UNREACHABLE)
    emit({"link": link}, lambda console: console.print(link, soft_wrap=True), as_json=as_json)
