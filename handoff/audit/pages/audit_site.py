"""The audit's site: its title, footer and problem pages, and the page that asks for the purpose of a read."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.responses import Response

from handoff.record.codes import ReadPurpose
from handoff.web.pages.access.read_recording import PurposeRequired
from handoff.web.pages.page_route import PageRoute, address_of
from handoff.web.pages.rendering import page
from handoff.web.pages.site import ProblemText, Site
from handoff.web.pages.translation import gettext_noop

_PROBLEMS: Mapping[str, ProblemText] = MappingProxyType(
    {
        "case_not_recorded": ProblemText(
            gettext_noop("The record has no entry about this case"), gettext_noop("Check the id of the case.")
        ),
        "not_proven_yet": ProblemText(
            gettext_noop("No checkpoint with enough cosignatures covers this case yet"),
            gettext_noop("Try again after the next checkpoint."),
        ),
    }
)


def audit_site(time_zone: ZoneInfo) -> Site:
    """Return the site of the audit."""
    return Site(
        title=gettext_noop("Audit timeline"),
        footer=gettext_noop(
            "These pages contain codes, ids and times only, never a name, an address or a sealed document. "
            "Times are in the time zone {zone}."
        ),
        pages="handoff.audit.pages",
        catalogues="handoff.audit.i18n",
        time_zone=time_zone,
        problems=_PROBLEMS,
    )


class CasePageRoute(PageRoute):
    """A route below a case: it asks for the purpose if the session has not named one."""

    def failure_page(self, request: Request, error: Exception) -> Response | None:
        """Return the form for the purpose, or the page of any other failure."""
        if not isinstance(error, PurposeRequired):
            return super().failure_page(request, error)
        return page(
            request,
            "purpose.html",
            HTTPStatus.PRECONDITION_REQUIRED,
            case=request.path_params["case"],
            purposes=tuple(ReadPurpose),
            then=address_of(request),
            signed_in=True,
        )
