"""One long case: read and checked, folded for a replay, and rendered as pages of the audit."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import httpx
from fastapi import FastAPI

from bench.long_record import LongRecord
from bench.race import Spread
from bench.report import Aim, Measurement
from bench.stories import key_of
from handoff import clock
from handoff.adapters.postgres.pool import open_pool
from handoff.adapters.postgres.sign_in_sessions import SignInSessions
from handoff.adapters.postgres.timeline_reader import Timeline
from handoff.audit.routes import AuditParts, add_audit_routes
from handoff.bootstrap.node import build_desk
from handoff.domain import state_codec
from handoff.domain.own_keys import OwnKeys
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.proof.log.entry import NO_PREVIOUS, PARTITION, LogEntry
from handoff.proof.verify.trust import TrustPolicy
from handoff.record.codes import ReadPurpose
from handoff.record.envelope import Source
from handoff.record.topics import AUDIT, PROJECTION
from handoff.web.pages.access.session_store import CaseOpening, token_hash

_READS, _PAGES = 200, 50
_TOKEN = "the auditors"
_SHOWN: Mapping[str, str] = {"list": "", "swimlanes": "/lanes", "questions": "/questions"}
_CASE_ROWS = """
SELECT record_offset, appended_ms, record_hash, case_tag, tag_sequence, previous_leaf, leaf, key, value, headers
  FROM timeline.entries WHERE sha256(coalesce(key, '')) = sha256($1::bytea) ORDER BY tag_sequence
"""
_CASE_STATE = "SELECT state FROM timeline.cases WHERE case_id = $1"


async def case_alone(jurisdiction: Jurisdiction, record: LongRecord) -> tuple[Measurement, ...]:
    """The times for the one case of the record."""
    events = f"A case of {len(record.case_events)} events"
    async with open_pool(jurisdiction.postgres_settings(PROJECTION, "owner"), max_size=1) as pool:
        timeline = Timeline(pool, record.log.origin)
        checked = await _times_ms(lambda: _checked(pool, record), _READS)
        replayed = await _times_ms(lambda: timeline.history(record.case), _READS)
    pages = {f"the page {name}": f"/timelines/{record.case}{below}" for name, below in _SHOWN.items()}
    return (
        Measurement(f"{events}: read, chain and state", checked, "ms", Aim(2, at_most=True)),
        Measurement(f"{events}: read, decoded and folded for a replay", replayed, "ms"),
        *await answered(jurisdiction, record, pages, Aim(100, at_most=True)),
    )


async def answered(
    jurisdiction: Jurisdiction, record: LongRecord, paths: Mapping[str, str], aim: Aim, times: int = _PAGES
) -> tuple[Measurement, ...]:
    """The times of the audit's answers at these paths, by name."""
    events = f"A case of {len(record.case_events)} events"
    async with _audit(jurisdiction, record) as browser:
        first = await _times_ms(partial(_page, browser, next(iter(paths.values()))), 1)
        took = {name: await _times_ms(partial(_page, browser, path), times) for name, path in paths.items()}
    return (
        Measurement(f"{events}: the first answer of a process", first, "ms"),
        *(Measurement(f"{events}: {name}", spread, "ms", aim) for name, spread in took.items()),
    )


async def _checked(pool: asyncpg.Pool, record: LongRecord) -> object:
    """Read the case's rows, recompute and chain their leaves, and load the folded state."""
    leaf = NO_PREVIOUS
    for row in await pool.fetch(_CASE_ROWS, record.key):
        facts = LogEntry(PARTITION, *row[:6])
        if facts.previous_leaf != leaf or (leaf := facts.leaf_hash()) != row["leaf"]:
            raise LookupError(f"entry {facts.sequence} does not follow")
    return state_codec.load_case(await pool.fetchval(_CASE_STATE, record.case))


async def _page(browser: httpx.AsyncClient, path: str) -> None:
    (await browser.get(path)).raise_for_status()


@asynccontextmanager
async def _audit(jurisdiction: Jurisdiction, record: LongRecord) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose session has just opened the case, so that requests for its pages record no further read."""
    reader = jurisdiction.postgres_settings(PROJECTION, "reader")
    me, now = Source(jurisdiction.name, jurisdiction.plan.generation, AUDIT), clock.now()
    async with open_pool(jurisdiction.postgres_settings(AUDIT)) as own, open_pool(reader) as timeline:
        await SignInSessions(own).save_opening(token_hash(_TOKEN), CaseOpening(record.case, ReadPurpose.AUDIT, now))
        desk = build_desk(me, OwnKeys(AUDIT, key_of(AUDIT)), key_of(AUDIT).seed, own)
        trust = TrustPolicy.parse(record.trust_text.encode())
        app = FastAPI()
        add_audit_routes(app, AuditParts(me, _TOKEN, desk, own, timeline, reader, lambda: trust))
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        yield httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://audit", headers=headers)


async def _times_ms(action: Callable[[], Awaitable[object]], times: int) -> Spread:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await action()
        took.append((time.perf_counter() - began) * 1000)
    return Spread.of(took)
