"""Starts a projection with the configuration that $HANDOFF_CONFIG names."""

import sys

import uvloop

from handoff import telemetry
from handoff.config import ConfigurationError, process_settings
from services.projection.runtime import run


def main() -> int:
    """The process's exit code."""
    try:
        settings = process_settings()
        telemetry.set_up_logging(process=settings.member, level=settings.log.level, form=settings.log.format)
        return uvloop.run(run(settings))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
