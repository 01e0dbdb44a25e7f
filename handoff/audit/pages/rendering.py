"""Pages made from templates: their language, their headers, and values as people read them."""

from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.responses import Response

from handoff.audit.i18n.translation import LANGUAGES, Words, preferred, words

ZONE = ZoneInfo("Europe/Belgrade")
LANGUAGE_COOKIE = "lang"
_YEAR_SECONDS = 366 * 86_400

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""What every page is sent with: nothing from elsewhere runs in it, and nobody keeps it."""


def language(request: Request) -> Words:
    """The words in which ``request`` is answered."""
    asked, kept = request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)
    return words(preferred(asked, kept, request.headers.get("accept-language", "")))


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page; it remembers the language that was asked for."""
    said = language(request)
    html = (
        _templates()
        .get_template(template)
        .render(_=said, request=request, languages=LANGUAGES, query=_other_parameters(request), **values)
    )
    answer = Response(html, status_code=status, media_type="text/html; charset=utf-8", headers=HEADERS)
    if request.query_params.get("lang") == said.tag:
        answer.set_cookie(
            LANGUAGE_COOKIE, said.tag, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", secure=is_secure(request)
        )
    return answer


def is_secure(request: Request) -> bool:
    """Whether the request came over TLS, so that its cookies may go nowhere else."""
    return request.url.scheme == "https"


def clock_words(moment: datetime) -> str:
    """A moment as the jurisdiction's clocks show it, with its zone."""
    return f"{moment.astimezone(ZONE):%Y-%m-%d %H:%M:%S %Z}"


def duration_words(said: Words, seconds: float) -> str:
    """How long something took, in its two largest units."""
    whole = int(seconds)
    if whole < 10:
        return f"{seconds:.1f} {said.code('Unit', 's')}"
    minutes, hours = whole // 60, whole // 3600
    shown = (("d", hours // 24), ("h", hours % 24), ("min", minutes % 60), ("s", whole % 60))
    first = next(index for index, (_, count) in enumerate(shown) if count)
    return " ".join(f"{count} {said.code('Unit', unit)}" for unit, count in shown[first : first + 2] if count)


@cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("handoff.audit.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clock"] = clock_words
    return made


def _other_parameters(request: Request) -> list[tuple[str, str]]:
    """The query without the language, so that a page can be asked for again in another one."""
    return [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
