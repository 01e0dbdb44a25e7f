"""Extension of the coordinator's node, built from the settings of its process."""

from handoff.adapters.postgres.expired_rows import sign_in_rules
from handoff.adapters.postgres.pool import open_pool
from handoff.config import ConfigurationError
from handoff.coordination.board_routes import BoardParts, add_board_routes
from handoff.service import Extension, NodeResources


def board_extension(resources: NodeResources) -> Extension:
    """Return the board's routes, which read the timeline's database as its `board`. Raises ConfigurationError."""
    settings = resources.settings
    if settings.timeline is None:
        raise ConfigurationError("timeline: the board needs the timeline's database, as its role `board`")
    timeline = open_pool(settings.timeline, max_size=6)
    parts = BoardParts(
        desk=resources.desk,
        own=resources.pool,
        timeline=timeline,
        duty=dict(settings.duty),
        time_zone=settings.time_zone,
    )
    return Extension(
        lambda app: add_board_routes(app, parts), (timeline,), sign_in_rules(resources.pool, settings.retention)
    )
