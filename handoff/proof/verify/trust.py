"""Trust policy of an auditor: logs, witnesses, quorum and founding events. It never comes from a bundle.

The file is a C2SP tlog-policy. That format has no line for the SHA-256 of a record's founding event, so it is in
a comment that only Handoff reads: ``# handoff: genesis <origin> <hexadecimal>``, one for each log.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.note import KeyType, MalformedNote, NoteKey

_OURS: Final = "# handoff:"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NONE: Final = "none"


class MalformedTrustFile(Exception):
    """A file that is not an unambiguous trust policy: correct the named line."""


@dataclass(frozen=True, slots=True)
class CosignerGroup:
    """A quorum rule: at least ``threshold`` of ``members`` must cosign. A member is a witness's name or a group."""

    threshold: int
    members: tuple["str | CosignerGroup", ...]

    def is_met_by(self, names: frozenset[str]) -> bool:
        """Return whether these cosigners meet the threshold."""
        met = (m in names if isinstance(m, str) else m.is_met_by(names) for m in self.members)
        return sum(met) >= self.threshold


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """Key of a record's log and the SHA-256 (hexadecimal) of the record's founding event."""

    key: NoteKey
    genesis_hash: str


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Logs by origin, witnesses by name, and the quorum of cosigners."""

    logs: Mapping[str, TrustedLog]
    witnesses: Mapping[str, NoteKey]
    quorum: CosignerGroup

    def proven_at(self, cosigned: Mapping[str, datetime]) -> datetime | None:
        """Return the latest time at which a quorum had cosigned the head, or None.

        ``cosigned`` maps each witness to the time of its cosignature. With an empty quorum no time is proven.
        """
        for moment in sorted(set(cosigned.values()), reverse=True):
            if self.quorum.is_met_by(frozenset(name for name, at in cosigned.items() if at >= moment)):
                return moment
        return None

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Parse a trust file. Raises ``MalformedTrustFile``."""
        reading = _Reading()
        try:
            for number, line in enumerate(_lines(raw), 1):
                reading.take(line, number)
        except MalformedNote as error:
            raise MalformedTrustFile(f"line {number}: {error}") from error
        return cls(reading.trusted_logs(), reading.witnesses, reading.the_quorum())


def write_trust(logs: Iterable[TrustedLog], monitor: NoteKey, agencies: Iterable[NoteKey], threshold: int) -> str:
    """Return a trust file for ``logs`` whose quorum is the monitor and ``threshold`` of the agencies."""
    names = {key.name.rpartition("/")[2]: key for key in agencies}
    lines = [line for log in logs for line in (f"log {log.key}", f"{_OURS} genesis {log.key.name} {log.genesis_hash}")]
    lines += [f"witness monitor {monitor}", *(f"witness {name} {key}" for name, key in names.items())]
    lines += [f"group agencies {threshold} {' '.join(names)}", "group all-needed all monitor agencies"]
    return "\n".join([*lines, "quorum all-needed", ""])


@dataclass(slots=True)
class _Reading:
    """State of parsing a trust file line by line."""

    logs: dict[str, NoteKey] = field(default_factory=dict)
    beginnings: dict[str, str] = field(default_factory=dict)
    witnesses: dict[str, NoteKey] = field(default_factory=dict)
    groups: dict[str, CosignerGroup] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    quorum: CosignerGroup | None = None

    def take(self, line: str, number: int) -> None:
        # Only space and tab separate words, so that every parser reads the file alike.
        words = [word for word in re.split(r"[ \t]+", line) if word]
        match words:
            case []:
                return
            case ["#", "handoff:", "genesis", origin, digest] if _HASH.fullmatch(digest):
                self._begins(origin, digest)
            case ["#", "handoff:", *_]:
                raise MalformedTrustFile(f"line {number}: not a line that Handoff defines")
            case [comment, *_] if comment.startswith("#"):
                return
            case ["log", key] | ["log", key, _]:
                self._log(NoteKey.parse(key))
            case ["witness", name, key] | ["witness", name, key, _]:
                self._witness(name, NoteKey.parse(key))
            case ["group", name, threshold, first, *others]:
                self._group(name, threshold, (first, *others))
            case ["quorum", name] if self.quorum is None:
                self.quorum = CosignerGroup(0, ()) if name == _NONE else CosignerGroup(1, (self._defined(name),))
            case _:
                raise MalformedTrustFile(f"line {number}: not a line of a trust policy")

    def trusted_logs(self) -> dict[str, TrustedLog]:
        if not self.logs or self.logs.keys() != self.beginnings.keys():
            raise MalformedTrustFile("each log needs exactly one genesis line, and each genesis line a log")
        return {origin: TrustedLog(key, self.beginnings[origin]) for origin, key in self.logs.items()}

    def the_quorum(self) -> CosignerGroup:
        if self.quorum is None:
            raise MalformedTrustFile("the quorum line is missing")
        return self.quorum

    def _begins(self, origin: str, digest: str) -> None:
        if origin in self.beginnings:
            raise MalformedTrustFile(f"two genesis lines for {origin}")
        self.beginnings[origin] = digest

    def _log(self, key: NoteKey) -> None:
        Origin.parse(key.name)
        self._check_new(key, KeyType.LOG, self.logs)
        if key.name in self.logs:
            raise MalformedTrustFile(f"two keys for the log {key.name}")
        self.logs[key.name] = key

    def _witness(self, name: str, key: NoteKey) -> None:
        self._check_new(key, KeyType.COSIGNER, self.witnesses)
        self._check_free(name)
        self.witnesses[name] = key

    def _check_new(self, key: NoteKey, expected: KeyType, known: Mapping[str, NoteKey]) -> None:
        if key.type is not expected:
            raise MalformedTrustFile(f"{key.name} is of type {key.type:#04x}, not {expected:#04x}")
        if key.public_key in {other.public_key for other in known.values()}:
            raise MalformedTrustFile(f"{key.name} has the same public key as another name")

    def _group(self, name: str, threshold: str, names: tuple[str, ...]) -> None:
        self._check_free(name)
        members = tuple(self._defined(member) for member in names)
        if len(set(names)) != len(names) or not self.members.isdisjoint(names):
            raise MalformedTrustFile(f"a member of the group {name} is counted twice")
        self.members.update(names)
        self.groups[name] = CosignerGroup(_threshold(threshold, len(names)), members)

    def _check_free(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise MalformedTrustFile(f"the name {name} is defined twice")

    def _defined(self, name: str) -> str | CosignerGroup:
        if name not in self.witnesses and name not in self.groups:
            raise MalformedTrustFile(f"{name} is not defined on an earlier line")
        return self.groups.get(name, name)


def _threshold(text: str, members: int) -> int:
    words = {"any": 1, "all": members}
    threshold = words[text] if text in words else int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= threshold <= members:
        raise MalformedTrustFile(
            f"{text} of {members} is not a threshold: use any, all or a number from 1 to {members}"
        )
    return threshold


_FOREIGN_STARTS = {
    b"\xef\xbb\xbf": "it starts with a byte order mark (BOM): save it as UTF-8 without one",
    b"\xff\xfe": "it is UTF-16, not UTF-8: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16, not UTF-8: save it as UTF-8",
    b"\x1f\x8b": "it is compressed with gzip: decompress it first",
}


def _lines(raw: bytes) -> list[str]:
    if (cause := next((cause for start, cause in _FOREIGN_STARTS.items() if raw.startswith(start)), None)) is not None:
        raise MalformedTrustFile(cause)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedTrustFile("not UTF-8") from error
    if "\r\n" in text:
        raise MalformedTrustFile("its lines end in CRLF, as on Windows: save it with line ends LF")
    if any(character < " " and character not in "\t\n" for character in text):
        raise MalformedTrustFile("a control character is not allowed")
    return text.split("\n")
