"""The endpoint of a command route: reads the request, submits the command, and answers once it is stored.

These are Starlette routes. FastAPI would resolve a dependency for each argument, which takes longer than to decide
and to store the command (ADR 0022).
"""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handoff.domain.decide import About
from handoff.node.commands.results import InvalidCommand, Refused, Stored
from handoff.record.codes import State
from handoff.record.delivery import Verdict, VerdictKind
from handoff.web.command_routes import IDEMPOTENCY_KEY, IF_MATCH, PREFER, CommandRoute, available_actions
from handoff.web.context import ApiContext, context_of, require_token
from handoff.web.problems import INEFFECTIVE, REFUSED, UNKNOWN_CASE, UNKNOWN_ESCALATION, UNKNOWN_REFERRAL, ProblemError
from handoff.web.query_parameters import only_known_parameters
from handoff.web.reasons import meaning
from handoff.web.request_bodies import read_command
from handoff.web.response_models import StoredCommand
from handoff.web.validation_errors import invalid_field

_STRONG_ETAG = re.compile(r'(?<!W/)"([1-9][0-9]{0,8})"(?=$|[\s,])')
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
_WITHOUT_EFFECT = frozenset({VerdictKind.INEFFECTIVE, VerdictKind.INVALID})


def command_endpoint(route: CommandRoute) -> Route:
    """Return the running route of a row of the command catalogue."""
    is_conditional = IF_MATCH in route.headers

    async def submit(request: Request) -> Response:
        # FastAPI does the same, Starlette does not: the log line names the route by it.
        request.scope["route"] = running
        await require_token(request)
        await only_known_parameters(request)
        context = await context_of(request)
        about = route.subject(request)
        etag = IF_MATCH.value(request) if is_conditional else None
        key = IDEMPOTENCY_KEY.value(request)
        command = await read_command(request, route.command)
        try:
            stored = await context.desk.submit(
                command,
                about,
                idempotency_key=key,
                if_match=_expected(etag),
            )
        except Refused as refused:
            raise await _refusal(context, about, refused) from None
        except InvalidCommand as error:
            raise invalid_field(error.invalid.field, error.invalid.problem) from None
        headers = {"Idempotency-Replayed": "true"} if stored.replayed else {}
        verdict = None
        wait = wait_in(PREFER.value(request), context.wait_limit)
        if wait is not None:
            headers["Preference-Applied"] = f"wait={wait:g}"
        if wait is not None or stored.replayed:
            # A repetition is answered with the verdict of now, also if it does not wait.
            verdict = await context.desk.outcome(stored.events, wait or 0)
        if verdict is not None and verdict.kind in _WITHOUT_EFFECT:
            raise await _ineffective(context, stored, verdict, headers)
        if route.location is not None:
            headers["Location"] = route.location.format(case=stored.about.case, referral=stored.about.referral)
        status = 202 if verdict is None else 201 if route.location is not None else 200
        body = StoredCommand.of(stored, verdict).model_dump_json(exclude_none=True)
        return Response(body, status, headers, media_type="application/json")

    running = Route(route.path, submit, methods=["POST"], name=route.operation_id)
    return running


async def _ineffective(
    context: ApiContext, stored: Stored, verdict: Verdict, headers: Mapping[str, str]
) -> ProblemError:
    """Return the problem of a command whose events are on the record and changed nothing."""
    about = stored.about
    view = await context.desk.case(about.case) if about.case is not None else None
    referral = view.expected.referrals.get(about.referral) if view is not None and about.referral is not None else None
    return INEFFECTIVE.error(
        meaning(verdict.reason),
        headers=headers,
        verdict=verdict.kind,
        reason=verdict.reason,
        events=stored.events,
        state=referral.state if referral is not None else None,
        seen=referral.seen if referral is not None else None,
        allowed=available_actions(view, referral.id) if view is not None and referral is not None else None,
    )


def _expected(etag: str | None) -> frozenset[int] | None:
    """Return the numbers of events that ``If-Match`` allows; None if it allows any.

    The comparison is strong (RFC 9110, 13.1.1): a weak tag, or a tag that no referral has, allows nothing.
    """
    return None if etag in (None, "*") else frozenset(int(seen) for seen in _STRONG_ETAG.findall(etag))


async def _refusal(context: ApiContext, about: About, refused: Refused) -> ProblemError:
    """Return the problem of a refused command: unknown if this member has no part in what the path names."""
    if about.escalation is not None and refused.refusal.code == State.ABSENT:
        return UNKNOWN_ESCALATION.error()
    allowed = None
    if about.case is not None:
        view = await context.desk.case(about.case)
        if about.referral is not None and (view is None or about.referral not in view.expected.referrals):
            return UNKNOWN_REFERRAL.error()
        if view is None:
            return UNKNOWN_CASE.error()
        allowed = available_actions(view, about.referral) if about.referral is not None else None
    reason, state = refused.refusal.code, refused.refusal.state
    return REFUSED.error(meaning(reason), reason=reason, state=state, seen=refused.seen, allowed=allowed)


def wait_in(prefer: str | None, limit: float) -> float | None:
    """Return the seconds that ``Prefer: wait=N`` asks for (RFC 7240), at most ``limit``; others are ignored."""
    match = _WAIT.search(prefer or "")
    return min(float(match[1]), limit) if match is not None else None
