"""The audit's extension of its node, from the node's settings."""

from handoff.adapters.files.trust_file import trusted
from handoff.adapters.postgres.pool import open_pool
from handoff.audit.app import Parts, furnish, origin_of
from handoff.config import ConfigurationError
from handoff.record.envelope import Source
from handoff.service import Extension, NodeResources


def audit_extension(resources: NodeResources) -> Extension:
    """The routes of the audit, over the timeline's database as its reader. Raises ConfigurationError."""
    settings = resources.settings
    if settings.timeline is None or settings.token is None:
        raise ConfigurationError("timeline, token: the audit reads the timeline, for auditors and their system")
    timeline = open_pool(settings.timeline, max_size=6)
    me = Source(settings.jurisdiction, settings.generation, settings.member)
    parts = Parts(
        me=me,
        token=settings.token.get_secret_value(),
        desk=resources.desk,
        own=resources.pool,
        timeline=timeline,
        timeline_settings=settings.timeline,
        trust=trusted(settings.checkpoints, origin_of(me)) if settings.checkpoints is not None else None,
        callers=settings.callers,
    )
    return Extension(lambda app: furnish(app, parts), (timeline,))
