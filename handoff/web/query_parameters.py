"""Checks of a request's query parameters: a parameter that is ignored would silently change the answer."""

from collections.abc import Mapping
from typing import get_origin

from fastapi import Request
from fastapi.routing import APIRoute

from handoff.web.problems import NOT_VALID, Fault, ProblemError


async def only_known_parameters(request: Request) -> None:
    """Reject query parameters that the route does not have: a mistyped filter would otherwise filter nothing."""
    await no_repeated_parameters(request)
    if not request.scope["query_string"]:
        return
    known = tuple(_parameters(request))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise _fault(unknown[0], "is not a parameter of this path", known)


async def no_repeated_parameters(request: Request) -> None:
    """Reject a parameter that is given twice, unless it is a list: one of its values would be ignored."""
    if not request.scope["query_string"]:
        return
    known = dict(_parameters(request))
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1 and not known.get(name, False):
            raise _fault(name, "is given more than once")


def _parameters(request: Request) -> Mapping[str, bool]:
    """Return the parameters of the request's route, each with whether it takes a list."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return {}
    return {field.alias: get_origin(field.field_info.annotation) is tuple for field in route.dependant.query_params}


def _fault(name: str, problem: str, allowed: tuple[str, ...] = ()) -> ProblemError:
    return NOT_VALID.error(f"{name} {problem}.", faults=(Fault(field=name, problem=problem, allowed=allowed),))
