"""Trust policy of an auditor: logs, witnesses, quorum and founding events. It never comes from a bundle.

The file is a C2SP tlog-policy. That format has no line for the SHA-256 of a record's founding event, nor for the
end of a key. They are in comments that only Handoff reads: ``# handoff: genesis <origin> <hexadecimal>``, one for each
log, and ``# handoff: until <size> <key name>+<key id>`` for a key that was replaced.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final, Self

from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.note import KeyType, MalformedNote, NoteKey, decimal
from handoff.proof.log.verifiers import EndedKey, Verifier, parts_of, verifier_of

_OURS: Final = "# handoff:"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NONE: Final = "none"
_SHORT_KEY: Final = re.compile(r"[^+\s]+\+[0-9a-f]{8}")


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
    """Keys of a record's log and the SHA-256 (hexadecimal) of the record's founding event."""

    key: Verifier
    genesis_hash: str


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Logs by origin, witnesses by name, and the quorum of cosigners. A cosigner has a witness for each of its keys."""

    logs: Mapping[str, TrustedLog]
    witnesses: Mapping[str, NoteKey | EndedKey]
    quorum: CosignerGroup

    def cosigner(self, name: str) -> Verifier | None:
        """Return the keys of the cosigner whose key name is ``name``; None if the file has none."""
        keys = tuple(witness for witness in self.witnesses.values() if witness.name == name)
        return verifier_of(keys) if keys else None

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
        return cls(reading.trusted_logs(), reading.trusted_witnesses(), reading.the_quorum())


def write_trust(logs: Iterable[TrustedLog], monitor: Verifier, agencies: Iterable[Verifier], threshold: int) -> str:
    """Return a trust file for ``logs`` whose quorum is the monitor and ``threshold`` of the agencies."""
    lines: list[str] = []
    for log in logs:
        lines += [f"log {key}" for key in log.key.public_keys]
        lines += [f"{_OURS} genesis {log.key.name} {log.genesis_hash}", *_ends(log.key)]
    cosigners = [monitor, *agencies]
    named = {_short_name(cosigner): _witness_names(cosigner) for cosigner in cosigners}
    for cosigner in cosigners:
        names = named[_short_name(cosigner)]
        lines += [f"witness {name} {key}" for name, key in zip(names, cosigner.public_keys, strict=True)]
        lines += _ends(cosigner)
    lines += [f"group {name}-keys any {' '.join(names)}" for name, names in named.items() if len(names) > 1]
    members = [f"{name}-keys" if len(names) > 1 else name for name, names in named.items()]
    lines += [f"group agencies {threshold} {' '.join(members[1:])}", f"group all-needed all {members[0]} agencies"]
    return "\n".join([*lines, "quorum all-needed", ""])


def _short_name(cosigner: Verifier) -> str:
    return cosigner.name.rpartition("/")[2]


def _witness_names(cosigner: Verifier) -> list[str]:
    """Names of a cosigner's keys in the file: *police*, *police-2* and so on."""
    name = _short_name(cosigner)
    return [name, *(f"{name}-{number}" for number in range(2, len(cosigner.public_keys) + 1))]


def _ends(verifier: Verifier) -> list[str]:
    return [f"{_OURS} until {part.until} {part.key.short}" for part in parts_of(verifier) if isinstance(part, EndedKey)]


@dataclass(slots=True)
class _Reading:
    """State of parsing a trust file line by line."""

    logs: dict[str, list[NoteKey]] = field(default_factory=dict)
    beginnings: dict[str, str] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    witnesses: dict[str, NoteKey] = field(default_factory=dict)
    groups: dict[str, CosignerGroup] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    # A cosigner that has several keys counts once: the group in which each witness is, with the names in it.
    grouped: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: CosignerGroup | None = None

    def take(self, line: str, number: int) -> None:
        # Only space and tab separate words, so that every parser reads the file alike.
        words = [word for word in re.split(r"[ \t]+", line) if word]
        match words:
            case []:
                return
            case ["#", "handoff:", "genesis", origin, digest] if _HASH.fullmatch(digest):
                self._begins(origin, digest)
            case ["#", "handoff:", "until", size, key] if _SHORT_KEY.fullmatch(key):
                self._ends(key, decimal(size))
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
        return {
            origin: TrustedLog(verifier_of(tuple(map(self._with_end, keys))), self.beginnings[origin])
            for origin, keys in self.logs.items()
        }

    def trusted_witnesses(self) -> dict[str, NoteKey | EndedKey]:
        self._check_cosigners()
        known = [key for keys in (*self.logs.values(), self.witnesses.values()) for key in keys]
        for short in self.ends:
            if sum(key.short == short for key in known) != 1:
                raise MalformedTrustFile(f"an end names {short}, which is not exactly one key of the file")
        return {name: self._with_end(key) for name, key in self.witnesses.items()}

    def _with_end(self, key: NoteKey) -> NoteKey | EndedKey:
        until = self.ends.get(key.short)
        return key if until is None else EndedKey(key, until)

    def _check_cosigners(self) -> None:
        """Check that no cosigner with several keys counts more than once."""
        for name in {key.name for key in self.witnesses.values()}:
            own = tuple(witness for witness, key in self.witnesses.items() if key.name == name)
            groups = [self.grouped.get(witness) for witness in own]
            is_once = all(group is not None and group[0] == 1 and {*group[1]} == {*own} for group in groups)
            if len(own) > 1 and not is_once:
                raise MalformedTrustFile(
                    f"{name} has {len(own)} keys: put {', '.join(own)}, and nothing else, into one group with `any`"
                )

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
        self._check_new(key, KeyType.LOG, chain.from_iterable(self.logs.values()))
        self.logs.setdefault(key.name, []).append(key)

    def _ends(self, key: str, size: int) -> None:
        if key in self.ends:
            raise MalformedTrustFile(f"two ends for the key {key}")
        self.ends[key] = size

    def _witness(self, name: str, key: NoteKey) -> None:
        self._check_new(key, KeyType.COSIGNER, self.witnesses.values())
        self._check_free(name)
        self.witnesses[name] = key

    def _check_new(self, key: NoteKey, expected: KeyType, known: Iterable[NoteKey]) -> None:
        if key.type is not expected:
            raise MalformedTrustFile(f"{key.name} is of type {key.type:#04x}, not {expected:#04x}")
        if key.public_key in {other.public_key for other in known}:
            raise MalformedTrustFile(f"{key.name} has a public key that an earlier line has")

    def _group(self, name: str, threshold: str, names: tuple[str, ...]) -> None:
        self._check_free(name)
        members = tuple(self._defined(member) for member in names)
        if len(set(names)) != len(names) or not self.members.isdisjoint(names):
            raise MalformedTrustFile(f"a member of the group {name} is counted twice")
        self.members.update(names)
        self.groups[name] = group = CosignerGroup(_threshold(threshold, len(names)), members)
        self.grouped.update(dict.fromkeys(names, (group.threshold, names)))

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
