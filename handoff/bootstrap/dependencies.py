"""Checks of the broker and the databases on which a process depends."""

from handoff.adapters.kafka.broker_check import BrokerCheck
from handoff.adapters.postgres.database_check import DatabaseCheck
from handoff.config import ProcessSettings
from handoff.readiness import Dependencies, DependencyCheck


def dependencies(settings: ProcessSettings, topic: str, *, broker_needed: bool = True) -> Dependencies:
    """Build the checks of a process that reads ``topic``."""
    patience = settings.health.patience_seconds
    broker = BrokerCheck(settings.kafka, topic, client_id=f"{settings.member}-readiness")
    timeline = (
        (DependencyCheck("timeline", DatabaseCheck(settings.timeline, only_read=True), patience),)
        if settings.timeline is not None
        else ()
    )
    return Dependencies(
        DependencyCheck("database", DatabaseCheck(settings.postgres), patience),
        DependencyCheck("broker", broker, patience, needed=broker_needed),
        timeline,
    )
