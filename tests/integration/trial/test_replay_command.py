"""`handoff replay` out of a real database: a case as it was, and what a checkpoint proves of it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.dsl.builders import CASE, nth_id
from tests.support.parts.proof_record import dump_of, honest
from tests.support.parts.stack import Jurisdictions
from tests.support.probes.evidence import Archive, archive

COVERED = honest().checkpointed(cosigners=("csw", "monitor", "police", "shelter"))


@pytest.fixture(scope="module")
async def kept(
    database_jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Archive]:
    """An honest record under a witnessed checkpoint, and one entry of the case that came after it."""
    later = dump_of([*COVERED.records.values(), COVERED.records[7]])
    async with archive(database_jurisdictions.planned(), tmp_path_factory.mktemp("replay")) as made:
        await made.store(later)
        await made.seal(COVERED)
        await made.seal(later.checkpointed(cosigners=("monitor",)))
        yield made


async def replayed(kept: Archive, *more: object) -> Any:
    code, output = await kept.handoff("replay", CASE, "--state", kept.installed.directory, "--json", *more)
    assert code == 0, output
    return json.loads(output)


async def test_entries_under_a_witnessed_checkpoint_are_proven_and_later_ones_are_not(kept: Archive) -> None:
    """A newer checkpoint that too few have cosigned proves nothing."""
    answer = (await replayed(kept, "--view", "completeness"))["answer"]
    assert (answer["size"], answer["cosigners"]) == (15, ["monitor", "police", "shelter", "csw"])
    assert [(row["positions"], row["why"]) for row in answer["rows"]] == [([15], "not_covered")]
    assert (answer["end"], answer["proven"]) == (15, False)


async def test_a_moment_shows_only_what_had_been_appended_by_then(kept: Archive) -> None:
    """The same question of two moments, and their difference."""
    now = (await replayed(kept, "--view", "as_of"))["answer"]
    lines = [line for row in now["rows"] for line in row["recorded"]]
    first = min(lines, key=lambda line: line["position"])
    then = (await replayed(kept, "--view", "as_of", "--as-of", first["at"]))["answer"]
    assert (then["position"], now["position"]) == (first["position"], 15)
    changed = (await replayed(kept, "--diff", first["at"]))["diff"]
    between = [row["entry"]["position"] for row in changed["rows"]]
    assert between == sorted({line["position"] for line in lines} - {first["position"]})


async def test_without_a_question_each_is_answered_in_a_line(kept: Archive) -> None:
    code, output = await kept.handoff("replay", CASE, "--state", kept.installed.directory)
    assert code == 0
    assert "after_withdrawal" in output
    assert len((await replayed(kept))["questions"]) == 13


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ((nth_id(99),), 1, "case: the record has no entry about"),
        ((CASE, "--view", "waits", "--agency", "choir"), 2, "agency: 'choir' is not a member"),
        (
            (CASE, "--as-of", "2026-01-01T00:00:00Z", "--diff", "2026-01-02T00:00:00Z"),
            2,
            "from: is later than the moment",
        ),
    ],
)
async def test_an_unanswerable_question_is_named(
    kept: Archive, arguments: tuple[object, ...], code: int, named: str
) -> None:
    found, output = await kept.handoff("replay", *arguments, "--state", kept.installed.directory)
    assert (found, named in " ".join(output.split())) == (code, True)
