"""The request log and the request metrics of command routes, and a parameter that they do not have."""

from typing import cast

import httpx
import structlog
from prometheus_client import REGISTRY
from prometheus_client.samples import Sample

from handoff.node.ports import NodeApi
from handoff.web.app import create_app

TOKEN = "a-token-for-tests"


async def _post(path: str, method: str = "POST") -> httpx.Response:
    """Send a request that does not come as far as the node."""
    app = create_app(cast("NodeApi", object()), member="police", token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://node", headers=headers
    ) as http:
        return await http.request(method, path, json={})


async def test_the_line_of_a_command_names_its_route() -> None:
    with structlog.testing.capture_logs() as lines:
        await _post("/cases")
    assert [(line["event"], line["route"]) for line in lines] == [("web.request_answered", "/cases")]


async def test_an_unknown_parameter_of_a_command_is_refused() -> None:
    answer = await _post("/cases?wait=1")
    assert (answer.status_code, answer.json()["code"]) == (422, "not_valid")


async def test_requests_are_measured_by_route_and_status() -> None:
    labels = {"method": "POST", "route": "/cases", "status": "422"}
    before = REGISTRY.get_sample_value("handoff_request_seconds_count", labels) or 0
    await _post("/cases")
    assert REGISTRY.get_sample_value("handoff_request_seconds_count", labels) == before + 1


async def test_a_caller_makes_no_new_series() -> None:
    """Neither by the path nor by the method: each would stay in memory."""
    before = {tuple(sample.labels.items()) for sample in _samples()}
    await _post("/no/such/path", "BREW")
    made = {tuple(sample.labels.items()) for sample in _samples()} - before
    assert not [labels for labels in made if {"BREW", "/no/such/path"} & {value for _, value in labels}]


def _samples() -> list[Sample]:
    return [s for m in REGISTRY.collect() if m.name == "handoff_request_seconds" for s in m.samples]
