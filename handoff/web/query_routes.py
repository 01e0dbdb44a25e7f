"""Query routes: a case, a referral, the work list, the feed, the directory, and the coordinator's escalations."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from handoff.domain.case import ReferralKey
from handoff.node.commands.results import CaseView, CursorPastEnd
from handoff.node.ports import Side
from handoff.record.codes import State
from handoff.record.uuid_text import Id
from handoff.web.context import ApiContext, InContext
from handoff.web.problems import CURSOR_PAST_END, UNKNOWN_CASE, UNKNOWN_REFERRAL
from handoff.web.response_models import (
    CaseState,
    DirectoryState,
    Escalations,
    EscalationState,
    Feed,
    FeedItem,
    FeedSnapshot,
    Notices,
    NoticeState,
    ReferralCursor,
    ReferralState,
    WorkItem,
    WorkList,
)
from handoff.web.waiting import WAIT_LIMIT_SECONDS, waited

Limit = Annotated[int, Query(ge=1, le=200, description="Maximum number of items on a page")]
_LAST_SEQUENCE = 2**63 - 1


async def read_case(context: InContext, case: Id) -> CaseState:
    """A case as this member knows it."""
    return CaseState.of(await _view(context, case))


async def read_referral(context: InContext, response: Response, case: Id, referral: Id) -> ReferralState:
    """A referral and its ETag, for `If-Match`."""
    view = await _view(context, case)
    known = view.expected.referrals.get(referral)
    if known is None:
        raise UNKNOWN_REFERRAL.error()
    response.headers["ETag"] = f'"{known.seen}"'
    return ReferralState.of(view, known)


async def _view(context: ApiContext, case: UUID) -> CaseView:
    view = await context.desk.case(case)
    if view is None:
        raise UNKNOWN_CASE.error()
    return view


async def list_referrals(
    context: InContext,
    state: Annotated[tuple[State, ...], Query(description="Only referrals in these states; repeat for several")] = (),
    role: Annotated[Side | None, Query(description="Only referrals in which this member has that role")] = None,
    after: Annotated[ReferralCursor | None, Query(description="The `next` of the previous page")] = None,
    limit: Limit = 50,
) -> WorkList:
    """The work list: most urgent first, then longest waiting."""
    previous = ReferralKey(*map(UUID, after.split("."))) if after is not None else None
    rows = await context.desk.referrals(after=previous, limit=limit, states=state, side=role)
    directory, now = await context.desk.directory(), context.desk.now()
    return WorkList(
        referrals=tuple(WorkItem.of(row, directory, now) for row in rows),
        next=".".join(map(str, rows[-1].key)) if len(rows) == limit else None,
    )


async def read_feed(
    request: Request,
    context: InContext,
    after: Annotated[int, Query(ge=0, le=_LAST_SEQUENCE, description="The last sequence that the caller knows")] = 0,
    limit: Limit = 100,
    wait: Annotated[
        int, Query(ge=0, le=WAIT_LIMIT_SECONDS, description="Seconds to wait for the first entry, if there is none yet")
    ] = 0,
) -> Feed:
    """Events that this member received from the record, in order, with the verdicts of its own."""
    try:
        page = context.desk.feed(after, limit, min(wait, context.wait_limit))
        entries = await waited(request, context, page) or ()
    except CursorPastEnd as error:
        raise CURSOR_PAST_END.error(end=error.end) from None
    return Feed(entries=tuple(FeedItem.of(entry) for entry in entries), next=entries[-1].sequence if entries else after)


async def read_feed_snapshot(context: InContext) -> FeedSnapshot:
    """The member's open referrals as of one entry of the feed, for a client that lost its cursor."""
    return FeedSnapshot.of(await context.desk.open_referrals())


async def read_notices(context: InContext) -> Notices:
    """Steps that this member owes and for which half or four fifths of the time are used up. No cursor counts them."""
    return Notices(notices=tuple(map(NoticeState.of, await context.desk.notices())))


async def read_directory(context: InContext) -> DirectoryState:
    """The members of the jurisdiction, with their services, keys, deadlines and capacity."""
    return DirectoryState.of(await context.desk.directory())


async def list_escalations(context: InContext) -> Escalations:
    """Late steps that wait for the coordinator, without their cases."""
    waiting = await context.desk.escalations()
    return Escalations(escalations=tuple(EscalationState.of(escalation, context.desk.now()) for escalation in waiting))


def add_shared_queries(router: APIRouter) -> None:
    """Add the queries of every member."""
    router.get(
        "/feed",
        operation_id="readFeed",
        tags=["this member"],
        response_model_exclude_none=True,
        responses={CURSOR_PAST_END.status.value: {}},
    )(read_feed)
    router.get("/directory", operation_id="readDirectory", tags=["directory"], response_model_exclude_none=True)(
        read_directory
    )


def add_agency_queries(router: APIRouter) -> None:
    """Add the queries of an agency."""
    for path, tag, operation, endpoint in (
        ("/cases/{case}", "cases", "readCase", read_case),
        ("/cases/{case}/referrals/{referral}", "referrals", "readReferral", read_referral),
        ("/referrals", "referrals", "listReferrals", list_referrals),
        ("/feed/snapshot", "this member", "readFeedSnapshot", read_feed_snapshot),
        ("/feed/notices", "this member", "readNotices", read_notices),
    ):
        router.get(path, operation_id=operation, tags=[tag], response_model_exclude_none=True)(endpoint)
    add_shared_queries(router)


def add_coordination_queries(router: APIRouter) -> None:
    """Add the queries of the coordinator."""
    router.get("/escalations", operation_id="listEscalations", tags=["escalations"], response_model_exclude_none=True)(
        list_escalations
    )
    add_shared_queries(router)
