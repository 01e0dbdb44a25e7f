"""A stolen signing key: it registers no other key, does not outlive its revocation, and its use is noticed."""

import httpx
import pytest
from structlog.testing import capture_logs

from handoff.domain.directory import Directory
from handoff.domain.founding import key_registration
from handoff.record import signing
from handoff.record.codec import AnyEvent
from handoff.record.codes import EntryPoint, ReadPurpose, ReportingDelay
from handoff.record.envelope import COORDINATION
from handoff.record.events import Body
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.web.app import create_app
from tests.support.dsl.builders import JURISDICTION, event, key_of, nth_id, signed
from tests.support.dsl.judged import Appended, directory_after, founded
from tests.support.dsl.spec import MINUTE, POLICE, T0
from tests.support.parts.api import AUTHORIZED, OPENING, TOKEN
from tests.support.parts.node_parts import Parts

THIEF = key_of("a thief")
_AT = T0 + 10 * MINUTE
_ALARMS = {"warning", "error", "critical"}


def _registered(key: signing.SigningKey) -> Appended:
    """The registration of ``key`` for the police, signed with the police's own key."""
    return signed(event(key_registration(JURISDICTION, POLICE, key), emitter=POLICE)), T0


def _revoked(key: signing.SigningKey) -> Appended:
    return signed(event(d.KeyRevoked(key=key.id), emitter=COORDINATION)), T0 + MINUTE


def _in_force(directory: Directory) -> set[str]:
    return {key for key in directory.keys if directory.signing_key(key, _AT) and directory.keys[key].owner == POLICE}


def test_a_second_signing_key_needs_the_coordinator() -> None:
    """A registration that only the member's first key signed puts no second key in force."""
    assert _in_force(directory_after(founded(_registered(THIEF)))) == {key_of(POLICE).id}


def test_a_revocation_takes_along_what_the_key_registered() -> None:
    """After the stolen key is revoked, no key that it registered is in force."""
    assert _in_force(directory_after(founded(_registered(THIEF), _revoked(key_of(POLICE))))) == set()


def test_a_member_has_a_few_keys_in_force() -> None:
    """Every node loads the directory for each command, so one member cannot make it large."""
    keys = [key_of(f"spare {number}") for number in range(40)]
    assert len(_in_force(directory_after(founded(*map(_registered, keys))))) <= 8


@pytest.mark.parametrize(
    "body",
    [
        c.CaseOpened(entry_point=EntryPoint.HOTLINE, reporting_delay=ReportingDelay.UNKNOWN),
        c.CaseRead(reader=nth_id(1), purpose=ReadPurpose.TECHNICAL),
    ],
    ids=["a case", "a read"],
)
async def test_an_own_event_that_this_node_did_not_send_is_alarmed(police: Parts, body: Body) -> None:
    """An echo without a row in the outbox was signed elsewhere, and is logged as an alarm."""
    intake = await police.intake()
    with capture_logs() as logs:
        await intake.handle([police.post(police.town.event(body))])
    assert _ALARMS & {line["log_level"] for line in logs}


async def test_a_key_event_about_this_member_is_alarmed(police: Parts) -> None:
    """The coordinator revokes this node's key: an alarm informs its operators."""
    intake = await police.intake()
    with capture_logs() as logs:
        await intake.handle([police.post(_revocation(police))])
    assert _ALARMS & {line["log_level"] for line in logs}


async def test_commands_under_a_revoked_key_are_not_taken(police: Parts) -> None:
    """An event signed with a revoked key never counts, so the answer is that the node is unavailable."""
    await (await police.intake()).handle([police.post(_revocation(police))])
    app = create_app(police.desk(), member=POLICE, token=TOKEN)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://node", headers=AUTHORIZED
    ) as http:
        answer = await http.post("/cases", json=OPENING)
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert (answer.json()["code"], answer.json()["reason"]) == ("own_key_ended", "revoked")


def _revocation(police: Parts) -> AnyEvent:
    return police.town.event(d.KeyRevoked(key=key_of(POLICE).id), emitter=COORDINATION)
