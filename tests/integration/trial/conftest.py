"""Installations that a module of tests shares."""

from collections.abc import AsyncIterator

import pytest

from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from tests.support.parts.production import Production, production
from tests.support.parts.site import Site, running_site


@pytest.fixture(scope="session")
def installed() -> Production:
    return production()


@pytest.fixture(scope="module")
async def site(
    installed: Production, kafka: KafkaOperator, postgres: DatabaseOperator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    async with running_site(installed, kafka, postgres, tmp_path_factory.mktemp("production")) as made:
        yield made
