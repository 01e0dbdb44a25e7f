"""A node's parts on the run's database and broker, for the tests that look inside one."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts.node_parts import Parts, node_parts
from tests.support.parts.stack import Jurisdictions


@pytest.fixture(scope="module")
async def police_parts(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    """The police's parts, one for each module."""
    async with node_parts(jurisdictions, tmp_path_factory.mktemp("node"), ("police",)) as (police,):
        yield police


@pytest.fixture
async def police(police_parts: Parts) -> Parts:
    """The police's parts, knowing the directory and nothing else."""
    await police_parts.wipe()
    await (await police_parts.intake()).handle(police_parts.founding())
    return police_parts
