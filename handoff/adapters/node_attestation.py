"""Attestation tasks of a node: witness, quorum collection and receipts.

A failure of any of them is reported, and the node continues to exchange events.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import structlog

from handoff import telemetry
from handoff.adapters.files.signing_keys import signing_key
from handoff.adapters.files.trust_file import TrustFile
from handoff.adapters.http.audit_client import AuditClient
from handoff.adapters.kafka.checkpoint_watch import CheckpointWatch
from handoff.adapters.kafka.checkpoints_topic import CheckpointsTopic
from handoff.adapters.postgres.proof_store import ProofStore
from handoff.adapters.postgres.witness_store import PostgresWitnessStore
from handoff.config import CheckpointSettings, ProcessSettings
from handoff.node.attestation.quorum import QuorumTracker
from handoff.node.attestation.receipts import ReceiptCollector
from handoff.node.attestation.witness import Examine, Witness, WitnessHalted, accept_any_root
from handoff.node.ports import Clock
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.signer import Cosigner
from handoff.wakeup import Wakeup

log = structlog.get_logger(__name__)

# An alarm waits for two checkpoints; with a cadence of seconds, for the response time of a busy machine.
LEAST_PATIENCE_SECONDS = 10.0


def cosigner_of(settings: ProcessSettings, checkpoints: CheckpointSettings) -> Cosigner | None:
    """Return the cosigner with the private keys that the settings name; None if they name none."""
    files = (checkpoints.witness_key_file, checkpoints.next_witness_key_file)
    if files[0] is None:
        return None
    private = (signing_key(file) for file in files if file is not None)
    return Cosigner.of(settings.jurisdiction, settings.member, *private)


def witness_of(
    settings: ProcessSettings,
    trust: TrustFile,
    topic: CheckpointsTopic,
    *,
    pool: asyncpg.Pool,
    clock: Clock,
    examine: Examine = accept_any_root,
) -> Witness | None:
    """Build the witness with the private keys that the settings name; None if they name none."""
    cosigner = cosigner_of(settings, trust.settings)
    if cosigner is None:
        return None
    return Witness(PostgresWitnessStore(pool), trust, cosigner, topic.publish, clock, examine)


class NodeAttestation:
    """The tasks of a node that depend on checkpoints."""

    def __init__(
        self, settings: ProcessSettings, checkpoints: CheckpointSettings, pool: asyncpg.Pool, clock: Clock
    ) -> None:
        origin = Origin(settings.jurisdiction, settings.generation)
        topic = CheckpointsTopic(settings.kafka, origin, client_id=f"{settings.member}-checkpoints")
        store = ProofStore(pool)
        trust = TrustFile(checkpoints, origin)
        self._vouching = quorum = QuorumTracker(store, trust.current, origin, Wakeup())
        witness = witness_of(settings, trust, topic, pool=pool, clock=clock)
        self._watch = CheckpointWatch(topic, witness, quorum)
        self._audit = AuditClient(settings.audit) if settings.audit is not None else None
        self._receipts: ReceiptCollector | None = None
        if self._audit is not None:
            cadence = checkpoints.cadence_seconds
            patience = max(2 * cadence, LEAST_PATIENCE_SECONDS)
            self._receipts = ReceiptCollector(store, self._audit, quorum, clock, cadence, patience, self._fail_receipts)
        self.failures: dict[str, str] = {}
        """Part → why it does not work any more."""

    async def run(self) -> None:
        """Run until cancelled. A failed part does not stop the others."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._contained("witness", self._follow))
                if self._receipts is not None:
                    tasks.create_task(self._contained("receipts", self._receipts.run))
        finally:
            if self._audit is not None:
                await self._audit.close()

    async def _follow(self) -> None:
        try:
            await self._watch.run()
        except WitnessHalted as halted:
            self._fail("witness", halted.why)
            await CheckpointWatch(self._watch.topic, None, self._vouching).run()

    async def _contained(self, part: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception:
            log.exception("attestation.part_crashed", part=part)
            self._fail(part, "crashed")

    def _fail_receipts(self, why: str) -> None:
        if self.failures.get("receipts") != why:
            self._fail("receipts", why)

    def _fail(self, part: str, why: str) -> None:
        self.failures[part] = why
        telemetry.WITNESS_ALARMS.labels(why).inc()
        log.critical("attestation.part_failed", part=part, why=why)
