"""Extension of the audit's node, built from the settings of its process."""

from handoff import clock
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.kafka.verdicts_topic import VerdictsTopic
from handoff.adapters.postgres.case_reader import CaseReader
from handoff.adapters.postgres.expired_rows import sign_in_rules
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.verdict_comparison import VerdictComparer
from handoff.audit.routes import AuditParts, add_audit_routes, origin_of
from handoff.audit.status_check import StatusCheck
from handoff.config import ConfigurationError
from handoff.record.envelope import Source
from handoff.service import Extension, NodeResources


def audit_extension(resources: NodeResources) -> Extension:
    """Return the audit's routes, which read the timeline's database as its `reader`. Raises ConfigurationError."""
    settings = resources.settings
    if settings.timeline is None or settings.token is None:
        missing = "timeline" if settings.timeline is None else "token"
        raise ConfigurationError(f"{missing}: the audit needs the timeline's database and the token of its own system")
    timeline = open_pool(settings.timeline, max_size=6)
    source = Source(settings.jurisdiction, settings.generation, settings.member)
    origin = origin_of(source)
    trust = TrustFile(settings.checkpoints, origin).current if settings.checkpoints is not None else None
    comparer = None
    if trust is not None:
        topic = VerdictsTopic(settings.kafka, origin, client_id=f"{settings.member}-verdicts")
        comparer = VerdictComparer(topic, timeline, origin, trust, clock.now)
    status = StatusCheck(CaseReader(timeline, settings.timeline, origin, trust).status_differences)
    parts = AuditParts(
        source=source,
        token=settings.token.get_secret_value(),
        desk=resources.desk,
        own=resources.pool,
        timeline=timeline,
        timeline_settings=settings.timeline,
        trust=trust,
        verdicts=comparer,
        status=status,
        callers=settings.callers,
        time_zone=settings.time_zone,
    )
    rules = sign_in_rules(resources.pool, settings.retention)
    tasks = (status.run,) if comparer is None else (status.run, comparer.run)
    return Extension(lambda app: add_audit_routes(app, parts), (timeline,), rules, tasks)
