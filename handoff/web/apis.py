"""The definition of each published API: an agency's and the coordinator's. The audit adds its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter
from pydantic import BaseModel

from handoff.web.command_routes import AGENCY_COMMANDS, COORDINATION_COMMANDS, CommandRoute
from handoff.web.problems import NODE_PROBLEMS, ProblemKind
from handoff.web.query_routes import add_agency_queries, add_coordination_queries

_DESCRIPTION = (
    "Referrals between the institutions of a Local Coordinating Mechanism. A successful response to a command means "
    "that the command is stored and will reach the record. With `Prefer: wait` the response also contains the "
    "command's verdict on the record. There is no field for names, addresses, income or any other free text."
)


@dataclass(frozen=True)
class ApiDefinition:
    """One API: its commands, queries and kinds of problem, and its description.

    ``bodies`` are models of bodies that a route reads by itself. ``header_problems``: name of a header → the problems
    that a route with this header can return in addition.
    """

    title: str
    description: str
    add_queries: Callable[[APIRouter], None]
    commands: tuple[CommandRoute, ...] = ()
    problems: tuple[ProblemKind, ...] = NODE_PROBLEMS
    bodies: tuple[type[BaseModel], ...] = ()
    header_problems: Mapping[str, tuple[ProblemKind, ...]] = field(default_factory=dict)


AGENCY_API = ApiDefinition("Handoff for an agency", _DESCRIPTION, add_agency_queries, AGENCY_COMMANDS)
COORDINATION_API = ApiDefinition(
    "Handoff for the coordinator", _DESCRIPTION, add_coordination_queries, COORDINATION_COMMANDS
)
