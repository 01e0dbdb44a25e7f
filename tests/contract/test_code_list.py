"""The code list explains every code of the record, and has the same codes for each service as the rules."""

from collections.abc import Iterator
from enum import StrEnum

import httpx
import pytest

from handoff.audit.api.definition import AUDIT_API
from handoff.contract import code_list
from handoff.contract.openapi import UnusedDesk
from handoff.record import codes
from handoff.record.codes import CaseService, FailureCode, HoldCode, RejectionCode, VoidCode
from handoff.record.events import CATALOGUE
from handoff.web.apis import AGENCY_API, COORDINATION_API, ApiDefinition
from handoff.web.app import create_app
from handoff.web.code_list import CodeList
from handoff.web.pages.translation import LANGUAGES
from history_checker import lifecycle_tables

EACH = pytest.mark.parametrize(
    "api", [AGENCY_API, COORDINATION_API, AUDIT_API], ids=["agency", "coordination", "audit"]
)


async def served(api: ApiDefinition) -> CodeList:
    """The code list as an application answers it to a caller without a token."""
    app = create_app(UnusedDesk(), member="police", token="any", api=api)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node") as http:
        answer = await http.get("/codes")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    return CodeList.model_validate_json(answer.content)


@EACH
async def test_every_api_answers_the_published_list(api: ApiDefinition) -> None:
    """The answer of a node is generated from the rules and catalogues of the same release."""
    assert await served(api) == CodeList.model_validate(code_list.document())


async def test_every_code_and_event_has_its_meaning_in_four_languages() -> None:
    """Each code of each closed list has a meaning in each language; none is left to be guessed."""
    answered = await served(AGENCY_API)
    for vocabulary in closed_lists():
        assert list(answered.vocabularies[vocabulary.__name__].codes) == [code.value for code in vocabulary]
    assert set(answered.events) == {body.name() for body in CATALOGUE.values()}
    meanings = [*answered.events.values()]
    meanings += [meaning for vocabulary in answered.vocabularies.values() for meaning in vocabulary.codes.values()]
    for meaning in meanings:
        assert tuple(meaning) == tuple(LANGUAGES)
        assert all(meaning.values())


def closed_lists() -> Iterator[type[StrEnum]]:
    for found in vars(codes).values():
        if isinstance(found, type) and found is not StrEnum and issubclass(found, StrEnum):
            yield found


async def test_a_service_allows_the_codes_that_the_rules_allow() -> None:
    """The list equals the second copy of the tables, which the history checker holds for itself."""
    answered = await served(AGENCY_API)
    assert set(answered.services) == set(CaseService)
    for service, allowed in answered.services.items():
        forbidden = lifecycle_tables.FORBIDDEN_REFUSALS.get(service, "").split()
        assert set(allowed.refusals) == set(RejectionCode) - set(forbidden)
        assert set(allowed.purposes) == set(lifecycle_tables.PURPOSES_OF_SERVICE[service].split())
        assert set(allowed.outcomes) == set(lifecycle_tables.OUTCOMES_OF_SERVICE.get(service, "service_given").split())
        assert set(allowed.starts) == set(
            lifecycle_tables.STARTS_OF_SERVICE.get(service, "first_contact work_begun").split()
        )
        assert set(allowed.holds) == set(HoldCode)


async def test_a_role_allows_the_codes_that_the_rules_allow() -> None:
    """A source may report fewer failures than the target, which may report one error only."""
    source, target = (await served(AGENCY_API)).roles["source"], (await served(AGENCY_API)).roles["target"]
    assert set(source.failures) == {"no_arrival", "survivor_ended", "deceased"}
    assert (set(target.failures), set(source.errors)) == (set(FailureCode), set(VoidCode))
    assert target.errors == (VoidCode.MISDIRECTED,)
