"""Checks of the private keys: each file is present, private, and the key that the record or the trust file knows."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from handoff import clock
from handoff.adapters.files.trust_file import trusted
from handoff.adapters.postgres.node_store import PostgresStore
from handoff.adapters.postgres.pool import open_pool
from handoff.config import ProcessSettings
from handoff.domain.directory import Directory, Key
from handoff.operations.doctor.findings import UNREACHABLE, DoctorFinding, collected
from handoff.operations.installation_settings import InstallationSettings
from handoff.proof.log.checkpoint import Origin, cosigner_key, log_key
from handoff.proof.log.note import NoteKey
from handoff.proof.log.verifiers import ANY_SIZE, EndedKey, Verifier, parts_of
from handoff.record.codes import KeyUse
from handoff.record.signing import SigningKey, key_id
from handoff.record.topics import EXCHANGE, MONITOR, PROJECTION

_NOT_NODES = frozenset({EXCHANGE, PROJECTION, MONITOR})
_RESTORE = "restore the file from a backup"
_ENDED_KEY = "move the next key to this setting, see *Keys of the log and the cosigners* in docs/runbook.md"
_NEW_KEY = f"{_RESTORE}, or let the coordinator register a new key (docs/runbook.md)"


async def key_findings(installed: InstallationSettings) -> Sequence[DoctorFinding]:
    """Check every key file that the settings name."""
    directory = await _directory(installed)
    return [
        finding
        for settings in installed.processes
        for check in (_signing_key(settings, directory), _witness_key(settings), _idempotency_secret(settings))
        for finding in collected(settings.member, check)
    ]


def _signing_key(settings: ProcessSettings, directory: Directory | None) -> Iterator[DoctorFinding]:
    yield from _file_findings(settings.member, settings.signing_key_file)
    key = _key(settings.signing_key_file)
    if key is None:
        return
    if settings.member == PROJECTION:
        yield from _log_key(settings)
    elif directory is not None:
        yield from signing_key_findings(settings, key, directory)


async def _directory(installed: InstallationSettings) -> Directory | None:
    """Directory as folded by the first node whose database answers; None without one."""
    for settings in installed.processes:
        if settings.member in _NOT_NODES:
            continue
        try:
            async with open_pool(settings.postgres, max_size=1) as pool:
                directory = await PostgresStore(pool).directory()
        except UNREACHABLE:
            continue
        if directory is not None and directory.founded:
            return directory
    return None


def signing_key_findings(settings: ProcessSettings, key: SigningKey, directory: Directory) -> Iterator[DoctorFinding]:
    """Compare a process's signing key with the keys that the record has for it."""
    member, path = settings.member, settings.signing_key_file
    registered = {
        known.id: known for known in directory.keys.values() if known.owner == member and known.use is KeyUse.SIGNING
    }
    own = registered.get(key_id(key.public_key))
    if not registered:
        advice = "wait until the exchange has routed its admission; if it lasts, run `handoff init`"
        yield DoctorFinding(member, "bad", "the record has no signing key for it", advice)
    elif own is None:
        in_force = ", ".join(_short(known.id) for known in registered.values() if known.is_in_force(clock.now()))
        finding = (
            f"wrong signing key: {path} has the key {_short(key_id(key.public_key))}, which the record does not know "
            f"for it; in force: {in_force or 'none'}. The exchange refuses what this key signs"
        )
        yield DoctorFinding(member, "bad", finding, _NEW_KEY)
    elif not own.is_in_force(clock.now()):
        yield DoctorFinding(member, "bad", f"{_ended(own)}: {path}. The exchange refuses what it signs", _NEW_KEY)


def _ended(key: Key) -> str:
    if key.revoked:
        return f"its signing key {_short(key.id)} is revoked"
    return f"its signing key {_short(key.id)} was retired at {key.retired_at:%Y-%m-%d %H:%M} UTC"


def _log_key(settings: ProcessSettings) -> Iterator[DoctorFinding]:
    """Compare the log's keys with those of the trust file."""
    if settings.checkpoints is None:
        return
    origin = Origin(settings.jurisdiction, settings.generation)
    known = trusted(settings.checkpoints, origin).logs[str(origin)].key
    files = (settings.signing_key_file, settings.next_signing_key_file)
    keys = [(path, log_key(origin, key.public_key)) for path in files if (key := _key(path)) is not None]
    yield from _proof_keys(settings.member, "log", keys, known)


def _witness_key(settings: ProcessSettings) -> Iterator[DoctorFinding]:
    """Compare the keys with which a process cosigns with those of the trust file."""
    if settings.checkpoints is None or settings.checkpoints.witness_key_file is None:
        return
    files = (settings.checkpoints.witness_key_file, settings.checkpoints.next_witness_key_file)
    for path in files:
        yield from _file_findings(settings.member, path)
    place, member = settings.jurisdiction, settings.member
    keys = [(path, cosigner_key(place, member, key.public_key)) for path in files if (key := _key(path)) is not None]
    trust = trusted(settings.checkpoints, Origin(place, settings.generation))
    if keys and (known := trust.cosigner(keys[0][1].name)) is not None:
        yield from _proof_keys(member, "witness", keys, known)


def _proof_keys(
    member: str, use: str, keys: Sequence[tuple[Path | None, NoteKey]], known: Verifier
) -> Iterator[DoctorFinding]:
    """Name the key by which checkpoints are signed, and each key file that the trust file has not or has ended."""
    in_force = known.keys_at(ANY_SIZE)
    named = ", ".join(key.short for key in in_force) or "none"
    for path, key in keys:
        if key in in_force:
            yield DoctorFinding(member, "ok", f"{use} key {key.short}")
        elif key in known.public_keys:
            until = max(part.until for part in parts_of(known) if isinstance(part, EndedKey) and part.key == key)
            yield DoctorFinding(
                member, "ok" if len(keys) > 1 else "bad", f"{use} key {key.short} ended at size {until}", _ENDED_KEY
            )
        else:
            yield DoctorFinding(
                member,
                "bad",
                f"wrong {use} key: {path} has {key.short}, which the trust file does not name; in force: {named}. "
                "No signature by it counts",
                f"{_RESTORE}, or add the key of a rotation: `handoff trust add-key`",
            )


def _idempotency_secret(settings: ProcessSettings) -> Iterator[DoctorFinding]:
    # With another secret a node knows no stored idempotency key, so a repeated command may be stored twice.
    yield from _file_findings(settings.member, settings.idempotency_secret_file, _RESTORE)


def _file_findings(member: str, path: Path | None, if_missing: str = _NEW_KEY) -> Iterator[DoctorFinding]:
    if path is None:
        return
    if not path.parent.exists():
        yield DoctorFinding(member, "unchecked", f"the folder of its key, {path.parent}, is not on this machine")
    elif not path.exists():
        yield DoctorFinding(member, "bad", f"its key {path} is missing", if_missing)
    elif path.stat().st_mode & (stat.S_IRWXO | _forbidden_to_group(path)):
        yield DoctorFinding(member, "bad", f"others may access its key {path}", f"chmod 600 {path}")
    elif _key(path) is None:
        yield DoctorFinding(member, "bad", f"its key {path} is no private key of 64 hexadecimal digits", _RESTORE)


def _key(path: Path | None) -> SigningKey | None:
    try:
        return None if path is None else SigningKey.from_hex(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _forbidden_to_group(path: Path) -> int:
    # In a pod, root owns the mounted key, and the process reads it as a member of its group.
    return stat.S_IRWXG if path.stat().st_uid == os.geteuid() else stat.S_IWGRP | stat.S_IXGRP


def _short(identifier: str) -> str:
    return f"{identifier[:12]}…"
