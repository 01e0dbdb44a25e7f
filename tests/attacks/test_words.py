"""No field of an event can carry words: closed lists, known members, and one spelling of an id."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from handoff.cli.app import app
from handoff.contract.examples import examples
from handoff.contract.json_schema import schemas
from handoff.contract.openapi import UnusedDesk
from handoff.exchange.validation import Submission, objection
from handoff.record import codec, message
from handoff.record.codes import (
    ApproverRole,
    BasisKind,
    CaseService,
    EndScope,
    LegalRule,
    RefusalCode,
    ReleasePurpose,
    SurvivorInformed,
    Urgency,
)
from handoff.record.delivery import to_ms
from handoff.record.errors import NotAnEvent
from handoff.record.events import CATALOGUE, Body
from handoff.record.events import case as c
from handoff.record.events import directory as d
from handoff.record.events import referral as r
from handoff.record.kafka_record import KafkaRecord
from handoff.record.named_members import named_members
from handoff.web.app import create_app
from tests.support.dsl.builders import BASIS, JURISDICTION, REFERRAL, T0, event, key_of, nth_id
from tests.support.dsl.spec import DIRECTORY, LAWYER, SHELTER

SENTENCE = "she_fled_to_her_sister_in_gjakova"
"""A valid member id that reveals where she is."""
_FAR = T0 + timedelta(days=30)
_NOTIFIED: dict[str, Any] = {
    "basis": BASIS,
    "kind": BasisKind.STATUTORY_NOTIFICATION,
    "purpose": ReleasePurpose.ARRANGE_SHELTER,
    "recipient": SHELTER,
    "expires_at": _FAR,
    "approver_role": ApproverRole.UNIT_HEAD,
    "approved_at": T0,
    "survivor_informed": SurvivorInformed.YES,
}
_RELEASE: dict[str, Any] = {
    "basis": BASIS,
    "kind": BasisKind.WRITTEN,
    "purpose": ReleasePurpose.ARRANGE_SHELTER,
    "expires_at": _FAR,
}


def _asked(target: str, recipient: str) -> r.ReferralRequested:
    return r.ReferralRequested(
        referral=REFERRAL,
        target=target,
        service=CaseService.SHELTER,
        urgency=Urgency.LOW,
        basis=r.BasisSnapshot(**_RELEASE, recipient=recipient),
    )


class Carrier(NamedTuple):
    """A true event, and the value in it that a dishonest member replaces with words."""

    body: Body
    honest: str
    words: str


_CARRIERS: dict[str, Carrier] = {
    "reads": Carrier(
        d.CapabilitiesPublished(reads=("referral.requested.v1",)), "referral.requested.v1", "she-fled.to-her-sister.v1"
    ),
    "rule": Carrier(
        c.BasisRecorded(**_NOTIFIED, rule=LegalRule.STANDARD_PROCEDURES), "xk.sop.notify", "xk.she.fled.to.her.sister"
    ),
    "recipient": Carrier(c.BasisRecorded(**_RELEASE, recipient=SHELTER), SHELTER, SENTENCE),
    "recipient of a withdrawal": Carrier(
        c.ReleaseWithdrawn(scope=EndScope.RECIPIENT, recipient=SHELTER), SHELTER, SENTENCE
    ),
    "recipient of an ending": Carrier(c.SurvivorEnded(scope=EndScope.RECIPIENT, recipient=SHELTER), SHELTER, SENTENCE),
    "target": Carrier(_asked(LAWYER, SHELTER), LAWYER, SENTENCE),
    "recipient of a request": Carrier(_asked(LAWYER, SHELTER), SHELTER, SENTENCE),
    "admitted member": Carrier(d.AgencyAdmitted(member=SHELTER), SHELTER, SENTENCE),
    "suspended member": Carrier(d.AgencySuspended(member=SHELTER), SHELTER, SENTENCE),
}
"""Field → an event that carries words in it."""


def _refusal(body: Body, honest: str = "", words: str = "") -> RefusalCode | None:
    spoken = event(body)
    value = codec.encode(spoken).replace(f'"{honest}"'.encode(), f'"{words}"'.encode())
    submitted = message.sign(spoken.subject, value, key_of("police"))
    submission = Submission(f"{JURISDICTION}.out.police", KafkaRecord(0, to_ms(T0), submitted))
    return objection(submission, DIRECTORY, "0" * 64)


@pytest.mark.parametrize("field", sorted(_CARRIERS))
def test_intake_refuses_words(field: str) -> None:
    """The exchange keeps an event off the record whose field is neither a code nor a member of the directory."""
    carrier = _CARRIERS[field]
    assert _refusal(carrier.body) is None
    assert _refusal(*carrier) in {RefusalCode.SCHEMA, RefusalCode.UNLISTED_MEMBER}


def test_every_field_that_names_a_member_is_checked() -> None:
    """The check finds each member id of each published example, also one inside another object."""
    fields = {name for schema in schemas().values() for name in _named(schema)}
    assert {"target", "recipient", "member"} <= fields
    for published in examples().values():
        written = json.loads(codec.encode(published))["data"]
        assert sorted(named_members(published.data)) == sorted(_values(written, fields)), published.type


def _named(node: object) -> Iterator[str]:
    """The properties of a schema that have the form of a member id."""
    for name, child in node.items() if isinstance(node, dict) else ():
        if isinstance(child, dict) and any(
            isinstance(choice, dict) and choice.get("description") == "Id of a member in the directory"
            for choice in (child, child.get("items"), *child.get("anyOf", ()))
        ):
            yield name
        yield from _named(child)


def _values(node: object, fields: set[str]) -> Iterator[str]:
    if isinstance(node, dict):
        for value in (node[name] for name in fields & node.keys()):
            yield from [value] if isinstance(value, str) else filter(lambda each: isinstance(each, str), value)
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _values(child, fields)


def test_the_list_of_readable_types_has_every_event() -> None:
    """A member can declare each event type in any version, and nothing else."""
    for name in {body.name() for body in CATALOGUE.values()}:
        assert d.Capabilities(reads=(f"{name}.v1", f"{name}.v77"))
    with pytest.raises(ValidationError):
        d.Capabilities(reads=("referral.unheard.v1",))


SPELLINGS = pytest.mark.parametrize(
    "spell",
    [str.upper, lambda text: f"urn:uuid:{text}", lambda text: f"{{{text}}}", lambda text: text.replace("-", "")],
    ids=["upper case", "urn", "braces", "no dashes"],
)
SPELLED = nth_id(10)
"""An id with letters."""


@SPELLINGS
@pytest.mark.parametrize("which", ["id", "referral"])
def test_an_id_has_one_spelling(which: str, spell: Callable[[str], str]) -> None:
    """An id that is not written as 36 lower-case characters is no id."""
    spoken = event(r.ReferralOpened(referral=SPELLED), emitter=SHELTER)
    written = str(spoken.id if which == "id" else SPELLED)
    value = codec.encode(spoken)
    assert written.encode() in value
    with pytest.raises(NotAnEvent):
        codec.decode(value.replace(written.encode(), spell(written).encode()))


@SPELLINGS
@pytest.mark.parametrize("path", ["/cases/{}", "/cases/{}/referrals/{}", "/referrals?after={}.{}"])
async def test_an_address_has_one_spelling(path: str, spell: Callable[[str], str]) -> None:
    """A case has one address, in queries and in commands."""
    written = spell(str(SPELLED))
    node = create_app(UnusedDesk(), member=SHELTER, token="any-token")
    headers = {"Authorization": "Bearer any-token"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(node), base_url="http://node", headers=headers) as http:
        assert (await http.get(path.format(written, written))).status_code == 422
        answer = await http.post(f"/cases/{SPELLED}/referrals/{written}/acceptance", json={})
    assert answer.json()["faults"] == [{"field": "referral", "problem": "is not a UUID of 36 lower-case characters"}]


@SPELLINGS
@pytest.mark.parametrize(("command", "bad_input"), [("timeline", 2), ("bundle", 3)])
def test_an_argument_has_one_spelling(command: str, bad_input: int, spell: Callable[[str], str]) -> None:
    """The commands for operators read the same form."""
    refused = CliRunner().invoke(app, [command, spell(str(SPELLED))])
    assert refused.exit_code == bad_input
    assert "36 lower-case" in refused.output.replace("\n", " ")
