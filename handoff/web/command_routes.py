"""The catalogue of command routes: one row for each command that an API takes.

The running routes (``command_endpoint``) and their OpenAPI description (``openapi_document``) are both built from
these rows; nothing else defines a command route.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request
from pydantic import Field, TypeAdapter

from handoff.domain import commands as c
from handoff.domain.commands import Command
from handoff.domain.decide import About
from handoff.node.commands.results import CaseView
from handoff.record.uuid_text import Id
from handoff.web.available_actions import AvailableAction
from handoff.web.validation_errors import parse_parameter

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_SUBJECT_FIELDS = {"case": "case", "basis": "basis", "referral": "referral", "reference": "escalation"}
"""Path parameter → the field of ``About`` that it sets."""
_ENTITY_TAG = r'(W/)?"[!#-~]*"'
_IF_MATCH = rf"^(\*|[ \t,]*{_ENTITY_TAG}([ \t]*,[ \t]*({_ENTITY_TAG})?)*)$"
ID: TypeAdapter[UUID] = TypeAdapter(Id)
"""The form of every path parameter."""


@dataclass(frozen=True, slots=True)
class HeaderParameter:
    """An optional request header of a command: its form both validates the request and describes it in OpenAPI."""

    name: str
    description: str
    form: TypeAdapter[Any]

    def value(self, request: Request) -> Any:
        """Return the header's value; None if the request does not have it. Raises the problem that names it."""
        lines = request.headers.getlist(self.name)
        # The lines of a list are one list (RFC 9110, 5.3); a header of one value occurs once (http_rules).
        return parse_parameter(self.form, ", ".join(lines), "header", self.name) if lines else None


IDEMPOTENCY_KEY = HeaderParameter(
    "Idempotency-Key",
    "A repeated request with the same key and body has no second effect and gets the same answer.",
    TypeAdapter(Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[!-~]+$")]),
)
PREFER = HeaderParameter(
    "Prefer",
    "`wait=N` holds the response for up to N seconds, until the command has its verdict on the record.",
    TypeAdapter(str),
)
IF_MATCH = HeaderParameter(
    "If-Match",
    "The referral's ETag, or several. The command fails with 412 if the referral has none of them now.",
    TypeAdapter(Annotated[str, Field(max_length=1024, pattern=_IF_MATCH)]),
)


@dataclass(frozen=True, slots=True)
class CommandRoute:
    """A command and the path that takes it.

    ``location`` is the address of what the command creates; its response is then 201 once it is effective. A command
    without one is answered with 200.
    """

    path: str
    command: type[Command]
    tag: str
    location: str | None = None

    @property
    def operation_id(self) -> str:
        """The stable name of the operation in OpenAPI."""
        return self.command.__name__[0].lower() + self.command.__name__[1:]

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names of the ids in the path, in their order."""
        return tuple(_PATH_PARAMETER.findall(self.path))

    @property
    def headers(self) -> tuple[HeaderParameter, ...]:
        """The headers that the command takes; only a command on a referral can depend on the referral's ETag."""
        is_conditional = issubclass(self.command, c.ReferralCommand)
        return (IDEMPOTENCY_KEY, PREFER, IF_MATCH) if is_conditional else (IDEMPOTENCY_KEY, PREFER)

    def subject(self, request: Request) -> About:
        """Return what the command is about: the ids in the path. Raises the problem of an id that is not a UUID."""
        ids = request.path_params.items()
        return About(**{_SUBJECT_FIELDS[name]: parse_parameter(ID, text, "path", name) for name, text in ids})


_CASE = "/cases/{case}"
_REFERRAL = f"{_CASE}/referrals/{{referral}}"

AGENCY_COMMANDS = (
    CommandRoute("/cases", c.OpenCase, "cases", location=_CASE),
    CommandRoute(f"{_CASE}/links", c.LinkCase, "cases", location=_CASE),
    CommandRoute(f"{_CASE}/bases", c.RecordBasis, "cases", location=_CASE),
    CommandRoute(f"{_CASE}/withdrawals", c.WithdrawRelease, "cases", location=_CASE),
    CommandRoute(f"{_CASE}/endings", c.EndServices, "cases", location=_CASE),
    CommandRoute(f"{_CASE}/referrals", c.RequestReferral, "cases", location=_REFERRAL),
    CommandRoute(f"{_CASE}/bases/{{basis}}/approval", c.ApproveBasis, "cases"),
    CommandRoute(f"{_REFERRAL}/opening", c.OpenReferral, "referrals"),
    CommandRoute(f"{_REFERRAL}/acceptance", c.AcceptReferral, "referrals"),
    CommandRoute(f"{_REFERRAL}/rejection", c.RejectReferral, "referrals"),
    CommandRoute(f"{_REFERRAL}/acceptance-claim", c.ClaimAcceptance, "referrals"),
    CommandRoute(f"{_REFERRAL}/hold-extension", c.ExtendPlaceHold, "referrals"),
    CommandRoute(f"{_REFERRAL}/start", c.StartService, "referrals"),
    CommandRoute(f"{_REFERRAL}/pause", c.PauseService, "referrals"),
    CommandRoute(f"{_REFERRAL}/resumption", c.ResumeService, "referrals"),
    CommandRoute(f"{_REFERRAL}/completion", c.CompleteService, "referrals"),
    CommandRoute(f"{_REFERRAL}/failure", c.FailService, "referrals"),
    CommandRoute(f"{_REFERRAL}/cancellation", c.CancelReferral, "referrals"),
    CommandRoute(f"{_REFERRAL}/cancellation-request", c.RequestCancellation, "referrals"),
    CommandRoute(f"{_REFERRAL}/cancellation-refusal", c.DeclineCancellation, "referrals"),
    CommandRoute(f"{_REFERRAL}/continuation", c.ContinueService, "referrals"),
    CommandRoute(f"{_REFERRAL}/voiding", c.VoidReferral, "referrals"),
    CommandRoute("/capacity", c.PublishCapacity, "this member"),
    CommandRoute("/capabilities", c.PublishCapabilities, "this member"),
    CommandRoute("/keys", c.RegisterKey, "this member"),
    CommandRoute("/key-retirements", c.RetireKey, "this member"),
)
"""Every command that an agency's API takes."""

_AGENCY_ROUTE_OF = {route.command: route for route in AGENCY_COMMANDS}


def available_actions(view: CaseView, referral: UUID) -> tuple[AvailableAction, ...]:
    """Return what this member can do with a referral now, as addresses of commands."""
    routes = ((_AGENCY_ROUTE_OF[action.command], action) for action in view.actions(referral))
    return tuple(
        AvailableAction(
            action=route.operation_id,
            path=route.path.format(case=view.expected.id, referral=referral),
            codes=dict(action.codes),
        )
        for route, action in routes
    )


COORDINATION_COMMANDS = (
    CommandRoute("/directory/admissions", c.AdmitAgency, "directory"),
    CommandRoute("/directory/suspensions", c.SuspendAgency, "directory"),
    CommandRoute("/directory/deadlines", c.PublishDeadlines, "directory"),
    CommandRoute("/directory/calendars", c.PublishCalendars, "directory"),
    CommandRoute("/directory/rules", c.ActivateRules, "directory"),
    CommandRoute("/directory/keys", c.RegisterKey, "directory"),
    CommandRoute("/directory/key-revocations", c.RevokeKey, "directory"),
    CommandRoute("/directory/key-retirements", c.RetireKey, "directory"),
    CommandRoute("/directory/redactions", c.RecordRedaction, "directory"),
    CommandRoute("/escalations/{reference}/acknowledgement", c.AcknowledgeEscalation, "escalations"),
)
"""Every command that the coordinator's API takes."""
