"""Steps of a rotation in a trust file: another key of a log or a cosigner, and the end of one.

A trust file is public. Each member and each auditor gets the renewed file from the operator and compares it by phone.
"""

from collections.abc import Callable
from pathlib import Path

from handoff.operations.errors import OperationError
from handoff.proof.log.note import KeyType, MalformedNote, NoteKey
from handoff.proof.log.verifiers import ANY_SIZE, EndedKey, Verifier, parts_of, verifier_of
from handoff.proof.verify.trust import CosignerGroup, MalformedTrustFile, TrustedLog, TrustPolicy, write_trust
from handoff.record.topics import MONITOR

_Change = Callable[[Verifier], Verifier]


def add_key(path: Path, verifier_key: str) -> None:
    """Add a key of a log or a cosigner that the file already names. Raises ``OperationError``."""
    try:
        key = NoteKey.parse(verifier_key)
    except MalformedNote as error:
        raise OperationError(f"{verifier_key}: {error}") from None

    def change(verifier: Verifier) -> Verifier:
        return verifier_of((*parts_of(verifier), key)) if verifier.name == key.name else verifier

    failure = f"{path} names no {key.name}: compare the name"
    _replace(path, _rewritten(path, change, failure, is_log=key.type is KeyType.LOG))


def end_key(path: Path, short: str, size: int) -> None:
    """End the key ``short`` (its name and id): it counts on trees of at most ``size`` entries.

    Another key of the same name must remain. Raises ``OperationError``.
    """

    def change(verifier: Verifier) -> Verifier:
        return verifier_of(tuple(_ended(part, short, size) for part in parts_of(verifier)))

    failure = f"{path} has no key {short} without an end: `handoff doctor` lists its keys"
    changed = _rewritten(path, change, failure)
    name = short.partition("+")[0]
    if not any(verifier.name == name and verifier.keys_at(ANY_SIZE) for verifier in _verifiers(changed)):
        raise OperationError(f"{name} would have no key: add its next key first")
    _replace(path, changed)


def _ended(part: NoteKey | EndedKey, short: str, size: int) -> NoteKey | EndedKey:
    return EndedKey(part, size) if isinstance(part, NoteKey) and part.short == short else part


def _verifiers(raw: bytes) -> list[Verifier]:
    trust = TrustPolicy.parse(raw)
    names = dict.fromkeys(witness.name for witness in trust.witnesses.values())
    cosigners = (trust.cosigner(name) for name in names)
    return [*(log.key for log in trust.logs.values()), *(key for key in cosigners if key is not None)]


def _rewritten(path: Path, change: _Change, failure: str, *, is_log: bool | None = None) -> bytes:
    """Return the file with each verifier of the type changed, a log's or a cosigner's; None: of both."""
    try:
        raw = path.read_bytes()
        trust = TrustPolicy.parse(raw)
    except OSError as error:
        raise OperationError(f"{path} cannot be read: {error.strerror}") from None
    except MalformedTrustFile as error:
        raise OperationError(f"{path}: {error}") from None
    if _written(trust, lambda verifier: verifier).encode() != raw:
        raise OperationError(f"{path} is not in the form of `handoff init`: edit it by hand, see docs/proof.md")
    changed = _written(trust, change, is_log=is_log).encode()
    if changed == raw:
        raise OperationError(failure)
    try:
        TrustPolicy.parse(changed)
    except MalformedTrustFile as error:
        raise OperationError(f"{path} would be refused: {error}") from None
    return changed


def _written(trust: TrustPolicy, change: _Change, *, is_log: bool | None = None) -> str:
    def of_cosigner(verifier: Verifier) -> Verifier:
        return verifier if is_log else change(verifier)

    def of_log(verifier: Verifier) -> Verifier:
        return verifier if is_log is False else change(verifier)

    logs = [TrustedLog(of_log(log.key), log.genesis_hash) for log in trust.logs.values()]
    names = dict.fromkeys(witness.name for witness in trust.witnesses.values())
    cosigners = {name: of_cosigner(key) for name in names if (key := trust.cosigner(name)) is not None}
    monitor = next((name for name in cosigners if name.endswith(f"/{MONITOR}")), None)
    threshold = _threshold(trust.quorum)
    if monitor is None or threshold is None:
        return ""
    return write_trust(logs, cosigners.pop(monitor), cosigners.values(), threshold)


def _threshold(quorum: CosignerGroup) -> int | None:
    """Return how many agencies the quorum needs; None if it is not the monitor and a number of agencies."""
    match quorum:
        case CosignerGroup(_, (CosignerGroup(2, (_, CosignerGroup(threshold, _))),)):
            return threshold
        case _:
            return None


def _replace(path: Path, content: bytes) -> None:
    """Replace the file in one step: a process never reads half of it."""
    renewed = path.with_name(f"{path.name}.renewed")
    renewed.write_bytes(content)
    renewed.chmod(path.stat().st_mode & 0o777)
    renewed.replace(path)
