"""Clean-up of a node's database by the node's own role: each kind of row after its own period."""

from datetime import datetime, timedelta

import pytest

from handoff.adapters.postgres.expired_rows import SQL, node_rules, sign_in_rules
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.bootstrap.node import build_desk
from handoff.config import RetentionSettings
from handoff.domain.decide import About
from handoff.node.commands.results import Refused, StoreUnavailable
from handoff.record.codes import ReadPurpose
from handoff.retention import Retention
from handoff.web.pages.access.session_store import LINK_LIFETIME, SESSION_LIFETIME, CaseOpening, token_hash
from tests.support.dsl.builders import T0, after, key_of, nth_id, own_keys_of
from tests.support.parts.node_parts import OPENING, Parts

_SETTINGS = RetentionSettings(idempotency_key_days=3, sign_in_link_days=1, session_days=2, opening_days=4)
_MOMENT = timedelta(milliseconds=1)


async def _clean_up(police: Parts, at: datetime, batch_rows: int = 1_000) -> None:
    rules = node_rules(police.pool, _SETTINGS) + sign_in_rules(police.pool, _SETTINGS)
    await Retention(rules, (StoreUnavailable,), lambda: at, batch_rows=batch_rows).apply()


async def _kinds(police: Parts) -> set[str]:
    return {row["kind"] for row in await police.query("rows_with_retention")}


async def test_each_kind_of_row_is_deleted_after_its_own_period(police: Parts) -> None:
    """A moment before and after each period: the other kinds stay."""
    desk = build_desk(police.me, own_keys_of("police"), key_of("police").seed, police.pool, clock=lambda: T0)
    await desk.submit(OPENING, About(), idempotency_key="a key")
    sessions = SignInSessions(police.pool)
    await sessions.create_link(nth_id(1), T0 - LINK_LIFETIME)
    session = await sessions.start_session(await sessions.create_link(nth_id(1), T0), T0 - SESSION_LIFETIME)
    assert session is not None
    await sessions.save_opening(token_hash(session), CaseOpening(nth_id(2), ReadPurpose.AUDIT, T0))
    kept = ["idempotency_key", "opening", "session", "sign_in_link"]
    for kind, days in (("sign_in_link", 1), ("session", 2), ("idempotency_key", 3), ("opening", 4)):
        # The second link, which was used, expires an hour later than the first one.
        end = after(days=days) + (LINK_LIFETIME if kind == "sign_in_link" else timedelta(0))
        await _clean_up(police, end)
        assert await _kinds(police) == set(kept)
        await _clean_up(police, end + _MOMENT)
        kept.remove(kind)
        assert await _kinds(police) == set(kept)


async def test_a_session_that_was_ended_counts_from_its_end(police: Parts) -> None:
    sessions = SignInSessions(police.pool)
    session = await sessions.start_session(await sessions.create_link(nth_id(1), T0), T0)
    assert session is not None
    await sessions.end_session(token_hash(session), T0 + _MOMENT)
    await _clean_up(police, after(days=2) + 2 * _MOMENT)
    assert "session" not in await _kinds(police)


async def test_a_valid_session_and_its_openings_are_never_deleted(police: Parts) -> None:
    """This holds for all periods, since the shortest one is longer than a session."""
    sessions = SignInSessions(police.pool)
    session = await sessions.start_session(await sessions.create_link(nth_id(1), T0), T0)
    assert session is not None
    await sessions.save_opening(token_hash(session), CaseOpening(nth_id(2), ReadPurpose.AUDIT, T0))
    last = T0 + SESSION_LIFETIME - _MOMENT
    shortest = RetentionSettings(idempotency_key_days=1, sign_in_link_days=1, session_days=1, opening_days=1)
    await Retention(sign_in_rules(police.pool, shortest), (), lambda: last).apply()
    assert await sessions.reader_of(token_hash(session), last) == nth_id(1)
    assert await sessions.opening(token_hash(session), nth_id(2)) is not None


async def test_no_transaction_deletes_more_rows_than_a_batch(police: Parts) -> None:
    desk = build_desk(police.me, own_keys_of("police"), key_of("police").seed, police.pool, clock=lambda: T0)
    for number in range(5):
        await desk.submit(OPENING, About(), idempotency_key=f"key {number}")
    assert len(await police.pool.fetch(SQL["idempotency_keys"], after(days=1), 2)) == 2
    assert len(await police.query("idempotency_keys")) == 3
    await _clean_up(police, after(days=4), batch_rows=2)
    assert await police.query("idempotency_keys") == []


async def test_a_command_whose_key_was_deleted_makes_nothing_twice(police: Parts) -> None:
    """The ids of what it made derive from the key, so a late repetition is refused."""
    desk = build_desk(police.me, own_keys_of("police"), key_of("police").seed, police.pool, clock=lambda: T0)
    await desk.submit(OPENING, About(), idempotency_key="a key")
    await _clean_up(police, after(days=4))
    assert await police.query("idempotency_keys") == []
    outbox = await police.query("outbox")
    with pytest.raises(Refused):
        await desk.submit(OPENING, About(), idempotency_key="a key")
    assert await police.query("outbox") == outbox
