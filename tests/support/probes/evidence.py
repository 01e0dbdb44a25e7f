"""A record stored in a real database by the projection's own code, and all that a superuser can do to it there."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import tomli_w
from typer.testing import CliRunner

from handoff.adapters.postgres.timeline_store import SCHEMA, Founding, TimelineStore
from handoff.cli.app import app
from handoff.operations.installation_settings import InstallationSettings
from handoff.operations.setup import database_setup
from handoff.operations.setup.database_setup import Database
from handoff.operations.setup.jurisdiction import Jurisdiction
from handoff.proof.log.checkpoint import log_key
from handoff.proof.log.cosignatures import read_published_checkpoint
from handoff.proof.log.witness import AddCheckpoint
from handoff.record import signing
from handoff.record.kafka_record import KafkaRecord, ParsedRecord, parse
from handoff.record.topics import PROJECTION
from tests.support.dsl.builders import GENERATION, JURISDICTION
from tests.support.parts.proof_record import LOG, ORIGIN, Appended, Dump, founding, receipt, trust, trust_text

_CONCURRENT = 200
_ADD_CHECKPOINT = "INSERT INTO proof.checkpoints SELECT count(*), 0, $1, $2, $3 FROM proof.checkpoints"
_ADD_COSIGNATURE = "INSERT INTO proof.cosignatures VALUES ($1, $2, $3, $4)"
_ADD_RECEIPT = "INSERT INTO proof.receipts VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
_FOLDED = tuple(f"{SCHEMA}.{table}" for table in ("entries", "tree_nodes", "cases", "directory", "handoffs"))
_TABLES = (*_FOLDED, f"{SCHEMA}.position", "proof.checkpoints", "proof.cosignatures", "proof.receipts")


@dataclass(frozen=True)
class Archive:
    """Timeline's database of a jurisdiction, and a state directory from which bundles are written."""

    jurisdiction: Jurisdiction
    directory: Path

    @property
    def database(self) -> str:
        return f"{self.jurisdiction.name}_{PROJECTION}"

    @property
    def trust(self) -> Path:
        return self.directory / "trust.policy"

    @property
    def installed(self) -> InstallationSettings:
        return InstallationSettings(self.directory / "state")

    def configure(self) -> None:
        """Writes what an installation knows of its timeline, and an auditor's trust file."""
        config = self.directory / "state" / "config" / f"{PROJECTION}.toml"
        config.parent.mkdir(parents=True)
        self.trust.write_text(trust_text(), encoding="utf-8")
        config.write_text(tomli_w.dumps(self._settings()), encoding="utf-8")
        passwords = {"postgres": dict(self.jurisdiction.passwords.postgres)}
        (self.directory / "state" / "passwords.json").write_text(json.dumps(passwords), encoding="utf-8")

    def _settings(self) -> dict[str, Any]:
        kafka = {"bootstrap_servers": "nowhere:9092", "username": PROJECTION, "password": "none"}
        postgres = self.jurisdiction.postgres_settings(PROJECTION, "writer")
        return {
            "jurisdiction": JURISDICTION,
            "generation": GENERATION,
            "genesis_sha256": _genesis_hash(),
            "member": PROJECTION,
            "kafka": kafka,
            "postgres": postgres.model_dump(mode="json", exclude_none=True)
            | {"password": postgres.password.get_secret_value()},
            "checkpoints": {"trust_file": str(self.trust)},
        }

    async def store(self, dump: Dump) -> None:
        """Puts the record onto the timeline as the projection does."""
        connection = await asyncpg.connect(self.jurisdiction.postgres_settings(PROJECTION, "writer").dsn)
        try:
            await stored(connection, dump)
        finally:
            await connection.close()

    async def seal(self, dump: Dump) -> None:
        """Stores the checkpoint, cosignatures and receipts of ``dump`` as the projection collects them."""
        request = AddCheckpoint(0, (), str(dump.checkpoint).encode())
        found = read_published_checkpoint(request.encode(), log_key(ORIGIN, LOG.public_key), trust().witnesses)
        assert found is not None
        signed = [(found.head.size, c.cosigner, c.at, c.line) for c in found.cosignatures]
        receipts = [(n, e.record_hash, found.head.size, receipt(dump, n).decode()) for n, e in enumerate(dump.entries)]
        async with self.superuser() as connection:
            await connection.execute(_ADD_CHECKPOINT, found.head.size, found.head.root, found.request.encode())
            await connection.executemany(_ADD_COSIGNATURE, signed)
            await connection.executemany(_ADD_RECEIPT, receipts)

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect as superuser, with the triggers that refuse changes disabled."""
        connection = await asyncpg.connect(self.jurisdiction.postgres.dsn(self.database))
        try:
            for table in ("timeline.entries", "timeline.tree_nodes", "proof.checkpoints", "proof.receipts"):
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            yield connection
        finally:
            await connection.close()

    async def replace(self, dump: Dump) -> None:
        """Puts another record in the place of the one that is stored, with every hash worked out again."""
        async with self.superuser() as connection:
            await connection.execute(f"TRUNCATE {', '.join(_FOLDED)}")
            await connection.execute("UPDATE timeline.position SET next_offset = 0, record_ms = 0, frontier = DEFAULT")
            await stored(connection, dump)

    async def handoff(self, *arguments: object) -> tuple[int, str]:
        """Run `handoff` with these arguments. Return its exit code and its output."""
        printed = [str(argument) for argument in arguments]
        result = await asyncio.to_thread(CliRunner().invoke, app, printed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    async def write(self, case: object, *more: object) -> tuple[int, str]:
        """`handoff bundle`, into ``bundle``."""
        return await self.handoff("bundle", case, "--state", self.installed.directory, "-o", self.bundle, *more)

    async def verify(self, *more: object) -> tuple[int, str]:
        """`handoff verify` on what was written last."""
        return await self.handoff("verify", self.bundle, "--trust", self.trust, *more)

    @property
    def bundle(self) -> Path:
        return self.directory / "case.bundle"


async def stored(connection: asyncpg.Connection, dump: Dump) -> None:
    """Folds and stores the record of ``dump``, page by page, on a connection that may write the timeline."""
    await connection.execute(f"SET search_path TO {SCHEMA}, public")
    store = TimelineStore(connection)
    position = await store.take_over()
    fold = await store.load_fold(Founding(JURISDICTION, GENERATION, _genesis_hash()), position)
    for records in _batches(dump):
        batch = fold.apply(records, await store.load_missing(fold, records))
        position = await store.append(position, batch)


@asynccontextmanager
async def archive(jurisdiction: Jurisdiction, directory: Path) -> AsyncIterator[Archive]:
    """The timeline's database alone, with nothing in it."""
    database = Database(jurisdiction.name, PROJECTION, "projection")
    await database_setup.apply(jurisdiction.postgres, (database,), jurisdiction.passwords.postgres)
    made = Archive(jurisdiction, directory)
    made.configure()
    yield made


@asynccontextmanager
async def restored(kept: Archive) -> AsyncIterator[Archive]:
    """``kept``, put back afterwards as it was."""
    async with kept.superuser() as superuser:
        for table in _TABLES:
            await superuser.execute(f"CREATE TABLE {_copy(table)} AS TABLE {table}")
    try:
        yield kept
    finally:
        async with kept.superuser() as superuser:
            await superuser.execute(f"TRUNCATE {', '.join(_TABLES)}")
            for table in _TABLES:
                await superuser.execute(f"INSERT INTO {table} TABLE {_copy(table)}; DROP TABLE {_copy(table)}")


def _copy(table: str) -> str:
    return table.replace(".", "_")


def _batches(dump: Dump) -> Iterator[list[ParsedRecord]]:
    appended: Iterable[Appended] = (Appended(e.offset, e.appended_ms, dump.records[e.offset]) for e in dump.entries)
    parsed = (parse(KafkaRecord(a.offset, a.appended_ms, a.message)) for a in appended)
    while batch := list(islice(parsed, _CONCURRENT)):
        yield batch


def _genesis_hash() -> str:
    return signing.sha256(founding()[0].value or b"")
