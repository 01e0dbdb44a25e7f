"""Wiring of an exchange."""

from datetime import timedelta
from typing import NoReturn

import asyncpg

from handoff import clock
from handoff.adapters.files.signing_keys import own_keys
from handoff.adapters.postgres.exchange_store import ExchangeStore
from handoff.adapters.postgres.leadership_store import PostgresLeadership
from handoff.adapters.postgres.pool import TRANSIENT, open_pool
from handoff.bootstrap.dependencies import dependencies
from handoff.config import ProcessSettings
from handoff.domain.directory import Directory
from handoff.exchange.intake import SubmissionIntake
from handoff.exchange.member_rates import MemberRates
from handoff.exchange.router import RouterContext
from handoff.exchange.runtime import Exchange
from handoff.exchange.validation import SubmissionValidator
from handoff.leadership import Leadership, ProgressTimeout
from handoff.node.ports import Clock
from handoff.process import instance_name, run_process
from handoff.record.topics import record_topic
from handoff.verification.verifier import SignatureVerifier

HEARTBEAT_SECONDS = 0.5
LEADER_TIMEOUT_SECONDS = 2.5
"""A standby takes over after this time: every referral waits for the exchange."""


def run_exchange() -> NoReturn:
    """Run an exchange with the configuration that $HANDOFF_CONFIG names, until SIGTERM or SIGINT; then exit with 0.

    Exits with 2 if the configuration is wrong, and with 3 if the record is broken.
    """

    async def run(settings: ProcessSettings) -> int:
        # Built inside the event loop: a connection pool belongs to the loop that runs when it is created.
        return await build_exchange(settings).run_until_stopped()

    run_process(run)


def build_exchange(
    settings: ProcessSettings, *, pool: asyncpg.Pool | None = None, clock: Clock = clock.now
) -> Exchange:
    """Build an exchange. Nothing connects before it runs. Raises ``ConfigurationError``."""
    pool = pool or open_pool(settings.postgres, max_size=8)
    store, keys = ExchangeStore(pool), own_keys(settings)
    verifier = SignatureVerifier()
    empty = Directory(settings.jurisdiction, settings.generation)
    validator = SubmissionValidator(settings.genesis_sha256, keys)
    return Exchange(
        pool=pool,
        store=store,
        intake=SubmissionIntake(
            settings.kafka,
            store,
            validator,
            empty,
            instance=instance_name(settings),
            verifier=verifier,
            rates=MemberRates(settings.exchange.member_rate, settings.exchange.member_burst),
            clock=clock,
        ),
        verifier=verifier,
        context=RouterContext(
            kafka=settings.kafka,
            store=store,
            keys=keys,
            genesis_hash=settings.genesis_sha256,
            empty=empty,
            now=clock,
            grace=timedelta(seconds=settings.exchange.grace_seconds),
            verifier=verifier,
        ),
        leadership=Leadership(
            PostgresLeadership(pool),
            instance_name(settings),
            ProgressTimeout(LEADER_TIMEOUT_SECONDS),
            unavailable=TRANSIENT,
            heartbeat_seconds=HEARTBEAT_SECONDS,
        ),
        dependencies=dependencies(settings, record_topic(settings.jurisdiction)),
        health=settings.health,
    )
