"""What makes a node one institution's, and what its service may use of the node and add to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg
from fastapi import FastAPI

from handoff.config import ProcessSettings
from handoff.domain.policies import Policy
from handoff.node.commands.desk import Desk
from handoff.web.apis import AGENCY_API, ApiDefinition


@dataclass(frozen=True)
class NodeResources:
    """What of its node a service's own routes may use."""

    settings: ProcessSettings
    desk: Desk
    pool: asyncpg.Pool


@dataclass(frozen=True)
class Extension:
    """What a service adds to its node: routes of its own, and pools that are open while the node runs."""

    add_to: Callable[[FastAPI], None]
    pools: tuple[asyncpg.Pool, ...] = ()


@dataclass(frozen=True)
class ServiceDefinition:
    """What makes a node one institution's: its name, what it does by itself, whose API it has, and what it adds."""

    name: str
    policies: Sequence[Policy]
    api: ApiDefinition = AGENCY_API
    annex: Callable[[NodeResources], Extension] | None = None
