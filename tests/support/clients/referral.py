"""A referral from request to completion, in the client that openapi-python-client generates.

It imports nothing of Handoff: ``agency_client`` is generated from ``schemas/openapi/agency.json``. The environment
names the two nodes and their tokens.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from agency_client import AuthenticatedClient
from agency_client.api.cases import open_case, record_basis, request_referral
from agency_client.api.referrals import accept_referral, complete_service, open_referral, read_referral, start_service
from agency_client.api.this_member import read_feed
from agency_client.models import (
    AcceptReferral,
    BasisKind,
    CaseService,
    CompleteService,
    EntryPoint,
    Feed,
    FeedItem,
    OpenCase,
    Problem,
    RecipientClass,
    RecordBasis,
    ReferralState,
    ReleasePurpose,
    ReportingDelay,
    RequestReferral,
    ServiceOutcome,
    StartKind,
    StartService,
    State,
    StoredCommand,
    Urgency,
)
from agency_client.types import Response, Unset

AnswerT = TypeVar("AnswerT", StoredCommand, ReferralState, Feed)
WAIT = "wait=20"
PATIENCE_SECONDS = 30


def main() -> None:
    """Play both institutions, and print what they saw."""
    police, shelter = client("POLICE"), client("SHELTER")
    case, referral = request(police)
    requested = until(shelter, referral, "referral.requested.v1")
    shown = read_referral.sync_detailed(case, referral, client=shelter)
    assert answer(shown, ReferralState).state is State.REQUESTED
    effective(open_referral.sync_detailed(case, referral, client=shelter, prefer=WAIT))
    stale = accept_referral.sync_detailed(
        case, referral, client=shelter, body=AcceptReferral(), if_match=shown.headers["ETag"]
    )
    effective(accept_referral.sync_detailed(case, referral, client=shelter, body=AcceptReferral(), prefer=WAIT))
    arrival = StartService(kind=StartKind.ARRIVAL)
    effective(start_service.sync_detailed(case, referral, client=shelter, body=arrival, prefer=WAIT))
    discharge = CompleteService(outcome=ServiceOutcome.DISCHARGE_OWN_WISH)
    effective(complete_service.sync_detailed(case, referral, client=shelter, body=discharge, prefer=WAIT))
    again = complete_service.sync_detailed(case, referral, client=shelter, body=discharge)
    seen = [until(police, referral, f"referral.{name}.v1") for name in ("accepted", "started", "completed")]
    final = answer(read_referral.sync_detailed(case, referral, client=police), ReferralState)
    played = {
        "requested_by_another": not requested.own,
        "seen": [item.event.type_ for item in seen if not isinstance(item.event, Unset)],
        "state": final.state.value,
        "stale": problem(stale),
        "again": problem(again),
    }
    sys.stdout.write(json.dumps(played))


def client(member: str) -> AuthenticatedClient:
    """Return the client of an institution's node."""
    return AuthenticatedClient(
        os.environ[f"{member}_URL"], os.environ[f"{member}_TOKEN"], raise_on_unexpected_status=True
    )


def request(police: AuthenticatedClient) -> tuple[UUID, UUID]:
    """Open a case with a release, and request a place. Repeat one command under its key."""
    opening = OpenCase(entry_point=EntryPoint.POLICE_CALL, reporting_delay=ReportingDelay.SAME_DAY)
    key = str(uuid4())
    opened = [open_case.sync_detailed(client=police, body=opening, idempotency_key=key, prefer=WAIT) for _ in range(2)]
    case, repeated = (effective(response).case for response in opened)
    assert case == repeated
    assert isinstance(case, UUID)
    release = RecordBasis(
        kind=BasisKind.RELEASE_ORAL_WITNESSED,
        purpose=ReleasePurpose.ARRANGE_SHELTER,
        recipient_class=RecipientClass.LICENSED_SHELTER,
        expires_at=datetime.now(UTC) + timedelta(days=30),
    )
    basis = effective(record_basis.sync_detailed(case, client=police, body=release, prefer=WAIT)).basis
    assert isinstance(basis, UUID)
    wanted = RequestReferral(
        target="shelter", service=CaseService.SHELTER, urgency=Urgency.EMERGENCY, basis=basis, safety_flags=[]
    )
    referral = effective(request_referral.sync_detailed(case, client=police, body=wanted, prefer=WAIT)).referral
    assert isinstance(referral, UUID)
    return case, referral


def until(reader: AuthenticatedClient, referral: UUID, event_type: str) -> FeedItem:
    """Read the feed until it has an event of this type about a referral."""
    cursor, limit = 0, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < limit:
        page = answer(read_feed.sync_detailed(client=reader, after=cursor), Feed)
        for item in page.entries:
            if isinstance(item.event, Unset) or item.event.type_ != event_type:
                continue
            if item.event.data["referral"] == str(referral):
                return item
        cursor = page.next_
    raise TimeoutError(event_type)


def effective(response: Response[Problem | StoredCommand]) -> StoredCommand:
    """Return the response to a command that took effect."""
    stored = answer(response, StoredCommand)
    assert stored.status.value == "effective", stored
    return stored


def answer(response: Response[Problem | AnswerT], model: type[AnswerT]) -> AnswerT:
    """Return the body of a successful response."""
    assert isinstance(response.parsed, model), response.content
    return response.parsed


def problem(response: Response[Problem | StoredCommand]) -> int:
    """Return the status of a problem."""
    assert isinstance(response.parsed, Problem), response.content
    return int(response.parsed.status)


if __name__ == "__main__":
    main()
