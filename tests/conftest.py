"""The real Kafka and the real PostgreSQL of a test run: started once, when a test first asks for them."""

from collections.abc import Iterator

import hypothesis
import pytest

from handoff.operations.setup.database_setup import DatabaseOperator
from handoff.operations.setup.kafka_operator import KafkaOperator
from handoff.trial.os_user import discard_server_data
from handoff.trial.stack import TrialStack
from tests.support.parts.stack import Jurisdictions, throwaway_stack

# The time of an example depends on the load of the machine, not on the property.
hypothesis.settings.register_profile("handoff", deadline=None)
hypothesis.settings.load_profile("handoff")


@pytest.fixture(scope="session", autouse=True)
def _no_data_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Delete the data of servers that ran for state directories of this test run, which root has elsewhere."""
    yield
    discard_server_data(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def stack() -> Iterator[TrialStack]:
    """The run's stack; its parts are started by the fixtures below."""
    with throwaway_stack() as shared:
        yield shared


@pytest.fixture(scope="session")
def kafka(stack: TrialStack) -> KafkaOperator:
    """A running broker, as its operator reaches it."""
    stack.start_kafka()
    return stack.kafka_operator


@pytest.fixture(scope="session")
def postgres(stack: TrialStack) -> DatabaseOperator:
    """A running database server, as its operator reaches it."""
    stack.start_postgres()
    return stack.postgres_operator


@pytest.fixture(scope="session")
def broker_jurisdictions(stack: TrialStack, kafka: KafkaOperator) -> Jurisdictions:
    """Jurisdictions on the broker only: `await broker_jurisdictions.on_broker()`."""
    return Jurisdictions(stack)


@pytest.fixture(scope="session")
def database_jurisdictions(stack: TrialStack, postgres: DatabaseOperator) -> Jurisdictions:
    """Jurisdictions with databases only: `await database_jurisdictions.with_databases()`."""
    return Jurisdictions(stack)


@pytest.fixture(scope="session")
def jurisdictions(stack: TrialStack, kafka: KafkaOperator, postgres: DatabaseOperator) -> Jurisdictions:
    """The factory of fresh jurisdictions: `await jurisdictions()`."""
    return Jurisdictions(stack)
