"""Rendering of pages: template, language and security headers."""

from typing import Any

from fastapi import Request
from starlette.responses import Response

from handoff.web.pages.site import site_of
from handoff.web.pages.translation import LANGUAGES, Translation, choose_language

LANGUAGE_COOKIE = "lang"
_YEAR_SECONDS = 366 * 86_400

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every page: it runs no code from other sites, is not framed, and is stored in no cache."""


def translation_of(request: Request) -> Translation:
    """Return the translation in which ``request`` is answered."""
    requested, remembered = request.query_params.get("lang"), request.cookies.get(cookie_name(request, LANGUAGE_COOKIE))
    language = choose_language(requested, remembered, request.headers.get("accept-language", ""))
    return site_of(request).translation(language)


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Render a page. A language that the query asks for is stored in a cookie for the next page."""
    site, tr = site_of(request), translation_of(request)
    html = site.templates.get_template(template).render(
        _=tr,
        request=request,
        site=site,
        static=site.static_files.address,
        languages=LANGUAGES,
        # The query without the language: the language menu adds another one.
        query=[(name, value) for name, value in request.query_params.multi_items() if name != "lang"],
        **values,
    )
    answer = Response(html, status_code=int(status), media_type="text/html; charset=utf-8", headers=SECURITY_HEADERS)
    if request.query_params.get("lang") == tr.language:
        answer.set_cookie(
            cookie_name(request, LANGUAGE_COOKIE),
            tr.language,
            max_age=_YEAR_SECONDS,
            httponly=True,
            samesite="lax",
            secure=is_secure(request),
        )
    return answer


def is_secure(request: Request) -> bool:
    """Return whether the request came over TLS, so that its cookies can be restricted to TLS."""
    return request.url.scheme == "https"


def cookie_name(request: Request, name: str) -> str:
    """Return the name of a cookie, which over TLS belongs to this host alone: another host of the domain cannot set it.

    Browsers accept the prefix only over TLS, so a connection inside this machine has the bare name.
    """
    return f"__Host-{name}" if is_secure(request) else name
