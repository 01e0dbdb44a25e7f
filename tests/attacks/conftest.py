"""Every test here carries the mark `attacks`; the databases that they damage are their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.stack import Jurisdictions

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.attacks)


@pytest.fixture(scope="module")
async def two_nodes(
    jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[Parts]]:
    """The parts of the police's and the shelter's node, in a jurisdiction of their own."""
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("attacked"), ("police", "shelter")) as parts:
        yield parts


@pytest.fixture
async def police(two_nodes: list[Parts]) -> Parts:
    """The police's node, which knows the directory and nothing else."""
    return await _founded(two_nodes[0])


@pytest.fixture
async def shelter(two_nodes: list[Parts]) -> Parts:
    """The shelter's node, which knows the directory and nothing else."""
    return await _founded(two_nodes[1])


async def _founded(parts: Parts) -> Parts:
    await parts.wipe()
    await (await parts.intake()).handle(parts.founding())
    return parts
