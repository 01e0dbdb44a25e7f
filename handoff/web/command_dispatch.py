"""Dispatch of commands: a POST to a path of the command catalogue goes directly to its endpoint.

The application has the same routes and answers everything else about these paths, such as 405. Its own layers would
search all routes and wrap the request three times, which takes longer than to decide the command.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class CommandDispatch:
    """The innermost middleware of the application."""

    def __init__(self, app: ASGIApp, routes: Sequence[Route], error_handlers: Mapping[Any, Any]) -> None:
        self._app = app
        self._error_handlers = error_handlers
        self._routes: defaultdict[tuple[int, str], list[Route]] = defaultdict(list)
        for route in routes:
            self._routes[_shape(route.path)].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            for route in self._routes.get(_shape(scope["path"]), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    await self._answer(route, Request(scope, receive), send)
                    return
        await self._app(scope, receive, send)

    async def _answer(self, route: Route, request: Request, send: Send) -> None:
        try:
            response = await route.endpoint(request)
        except Exception as error:
            handler = next((found for cls in type(error).__mro__ if (found := self._error_handlers.get(cls))), None)
            if handler is None:
                raise
            response = await handler(request, error)
        await response(request.scope, request.receive, send)


def _shape(path: str) -> tuple[int, str]:
    """Return the number of segments and the last one, which is no parameter in any path of the catalogue."""
    return path.count("/"), path.rpartition("/")[2]
