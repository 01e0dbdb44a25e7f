"""Cookies are limited to TLS and to one host if a trusted proxy states TLS; other callers cannot state it."""

from typing import Any

import httpx
import pytest

from handoff.audit.api.definition import AUDIT_API
from handoff.audit.routes import AuditParts, add_audit_routes
from handoff.config import HttpSettings
from handoff.contract.openapi import UnusedDesk
from handoff.record.envelope import Source
from handoff.web.app import create_app

STATES_TLS = {"X-Forwarded-Proto": "https"}


async def language_cookie(trusted: tuple[str, ...], headers: dict[str, str], url: str = "http://audit") -> str:
    """The cookie that the sign-in page sets for a caller at 10.1.2.3."""
    unused: Any = None
    app = create_app(UnusedDesk(), member="audit", token="", api=AUDIT_API, trusted_proxies=trusted)
    source = Source("prizren", 1, "audit")
    parts = AuditParts(source, token="", desk=UnusedDesk(), own=unused, timeline=unused, timeline_settings=unused)
    add_audit_routes(app, parts)
    transport = httpx.ASGITransport(app, client=("10.1.2.3", 4567))
    async with httpx.AsyncClient(transport=transport, base_url=url) as http:
        return (await http.get("/enter/any-token?lang=sq", headers=headers)).headers["set-cookie"]


@pytest.mark.parametrize("trusted", [("10.1.2.3",), ("192.0.2.1", "10.0.0.0/8")])
async def test_a_trusted_proxy_states_tls(trusted: tuple[str, ...]) -> None:
    cookie = await language_cookie(trusted, STATES_TLS)
    assert cookie.startswith("__Host-lang=sq;")
    assert "; Secure" in cookie
    assert "; Path=/" in cookie
    assert "Domain" not in cookie


async def test_tls_of_the_process_itself_counts() -> None:
    assert (await language_cookie((), {}, "https://audit")).startswith("__Host-lang=sq;")


@pytest.mark.parametrize(
    ("trusted", "headers"), [((), STATES_TLS), (("10.1.2.4",), STATES_TLS), (("10.1.2.3",), {})], ids=str
)
async def test_without_tls_a_cookie_has_its_bare_name(trusted: tuple[str, ...], headers: dict[str, str]) -> None:
    """A browser refuses the prefix on a connection without TLS, such as that of a trial on one machine."""
    cookie = await language_cookie(trusted, headers)
    assert cookie.startswith("lang=sq;")
    assert "Secure" not in cookie


@pytest.mark.parametrize("address", ["*", "proxy.example", "10.1.2.3/8", "10.0.0.0/64", ""])
def test_a_proxy_is_an_address_or_a_network(address: str) -> None:
    """A wildcard would let every caller state TLS."""
    with pytest.raises(ValueError, match="trusted_proxies"):
        HttpSettings(port=8000, trusted_proxies=(address,))
