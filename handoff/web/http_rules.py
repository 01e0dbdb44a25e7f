"""Rules of HTTP that hold for every path: HEAD, headers that occur once, and caching of JSON.

HEAD is answered as GET without its body (RFC 9110, 9.3.2). A header of one value that occurs twice is refused: a proxy
and this server could read different ones.
"""

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoff.web.problems import HEADER_MALFORMED, Fault, problem_response

# Headers that are no list by their definition. All others may occur several times.
_SINGLE = frozenset(
    {
        b"access-control-request-method",
        b"age",
        b"authorization",
        b"content-length",
        b"content-location",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"from",
        b"host",
        b"hx-request",
        b"idempotency-key",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"last-modified",
        b"max-forwards",
        b"origin",
        b"proxy-authorization",
        b"range",
        b"read-purpose",
        b"referer",
        b"sec-fetch-site",
        b"user-agent",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)


class HttpRules:
    """Middleware between the log and the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        # The server's own scope keeps the method: it allows a response to HEAD to be shorter than its Content-Length.
        inner = {**scope, "method": "GET"} if is_head else scope

        async def send_by_rules(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                if b"json" in headers.get(b"content-type", b"") and b"cache-control" not in headers:
                    message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        repeated = _repeated(scope)
        try:
            if repeated is None:
                await self._app(inner, receive, send_by_rules)
            else:
                fault = Fault(field=repeated, problem="occurs more than once")
                problem = HEADER_MALFORMED.problem(f"{repeated} occurs more than once.", faults=(fault,))
                await problem_response(problem)(inner, receive, send_by_rules)
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]


def _repeated(scope: Scope) -> str | None:
    """Return the first header that may occur once only and occurs more often."""
    names = [name for name, _ in scope["headers"]]
    if len(names) == len(set(names)):
        return None
    counted = Counter(name for name in names if name in _SINGLE)
    return next((name.decode().title() for name, count in counted.items() if count > 1), None)
