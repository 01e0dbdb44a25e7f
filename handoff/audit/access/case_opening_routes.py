"""Opening of a case on the pages: search by id, and the form that asks for the purpose."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from handoff.audit.access.case_access import InAudit, authenticated_reader, open_case
from handoff.audit.pages.audit_site import CasePageRoute
from handoff.record.codes import ReadPurpose
from handoff.record.uuid_text import Id
from handoff.web.pages.access.sign_in_routes import redirect, require_same_site
from handoff.web.pages.rendering import page


async def show_home(request: Request, context: InAudit) -> Response:
    """Show the form that finds a case by its id, and the cases of this session."""
    reader = await authenticated_reader(context, request)
    openings = await context.sessions.openings(reader.session)
    return page(request, "home.html", openings=openings, signed_in=True)


async def find_case(case: Id) -> Response:
    """Redirect to the page of a case."""
    return redirect(f"/timelines/{case}")


async def submit_purpose(
    request: Request,
    context: InAudit,
    case: Id,
    purpose: Annotated[ReadPurpose, Form()],
    then: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Record the read, then redirect to the requested page of the case."""
    await open_case(context, await authenticated_reader(context, request), case, purpose)
    root = f"/timelines/{case}"
    # Only addresses of the same case: the form must not redirect to another site.
    return redirect(then if then == root or then.startswith((f"{root}/", f"{root}?")) else root)


def case_opening_router() -> APIRouter:
    """Return the routes of this module."""
    router = APIRouter(route_class=CasePageRoute, include_in_schema=False, dependencies=[Depends(require_same_site)])
    router.get("/")(show_home)
    router.get("/timelines")(find_case)
    router.post("/timelines/{case}/purpose")(submit_purpose)
    return router
