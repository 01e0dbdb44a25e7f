"""What an auditor trusts: the logs, who must have cosigned, and how each record begins. It never comes with a bundle.

The file is a C2SP tlog-policy. What that format has no line for, the SHA-256 of a record's founding event, stands in
a comment that only Handoff reads: ``# handoff: genesis <origin> <hexadecimal>``, one for each log.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.note import KeyType, NotANote, NoteKey

_OURS: Final = "# handoff:"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NONE: Final = "none"


class NotATrustFile(Exception):
    """A text that says of nobody unmistakably that it is trusted: mend the file."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cosigners of whom at least ``threshold`` must have signed; a member is a witness's name or a group."""

    threshold: int
    members: tuple["str | Group", ...]

    def is_met_by(self, names: frozenset[str]) -> bool:
        """Whether those are enough."""
        met = (m in names if isinstance(m, str) else m.is_met_by(names) for m in self.members)
        return sum(met) >= self.threshold


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A record's log, and the SHA-256 (hexadecimal) of the event that the record begins with."""

    key: NoteKey
    genesis_hash: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The logs by origin, the witnesses by their name in the file, and whose cosignatures suffice."""

    logs: Mapping[str, TrustedLog]
    witnesses: Mapping[str, NoteKey]
    quorum: Group

    def proven_at(self, cosigned: Mapping[str, datetime]) -> datetime | None:
        """The latest moment at which enough witnesses still vouched for the head; None if there is none.

        ``cosigned``: witness → when it cosigned. Where nobody needs to, no moment is proven.
        """
        for moment in sorted(set(cosigned.values()), reverse=True):
            if self.quorum.is_met_by(frozenset(name for name, at in cosigned.items() if at >= moment)):
                return moment
        return None

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The trust in a file's bytes; raises ``NotATrustFile``."""
        reading = _Reading()
        try:
            for number, line in enumerate(_lines(raw), 1):
                reading.take(line, number)
        except NotANote as error:
            raise NotATrustFile(f"line {number}: {error}") from error
        return cls(reading.trusted_logs(), reading.witnesses, reading.the_quorum())


def write_trust(logs: Iterable[TrustedLog], monitor: NoteKey, agencies: Iterable[NoteKey], threshold: int) -> str:
    """The file that trusts a jurisdiction's logs where its monitor and ``threshold`` of its agencies cosigned."""
    names = {key.name.rpartition("/")[2]: key for key in agencies}
    lines = [line for log in logs for line in (f"log {log.key}", f"{_OURS} genesis {log.key.name} {log.genesis_hash}")]
    lines += [f"witness monitor {monitor}", *(f"witness {name} {key}" for name, key in names.items())]
    lines += [f"group agencies {threshold} {' '.join(names)}", "group all-needed all monitor agencies"]
    return "\n".join([*lines, "quorum all-needed", ""])


@dataclass(slots=True)
class _Reading:
    """What the lines have said so far."""

    logs: dict[str, NoteKey] = field(default_factory=dict)
    beginnings: dict[str, str] = field(default_factory=dict)
    witnesses: dict[str, NoteKey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    quorum: Group | None = None

    def take(self, line: str, number: int) -> None:
        # Only these two separate words, so that the file means the same everywhere.
        words = [word for word in re.split(r"[ \t]+", line) if word]
        match words:
            case []:
                return
            case ["#", "handoff:", "genesis", origin, digest] if _HASH.fullmatch(digest):
                self._begins(origin, digest)
            case ["#", "handoff:", *_]:
                raise NotATrustFile(f"line {number}: not a line of Handoff's")
            case [comment, *_] if comment.startswith("#"):
                return
            case ["log", key] | ["log", key, _]:
                self._log(NoteKey.parse(key))
            case ["witness", name, key] | ["witness", name, key, _]:
                self._witness(name, NoteKey.parse(key))
            case ["group", name, threshold, first, *others]:
                self._group(name, threshold, (first, *others))
            case ["quorum", name] if self.quorum is None:
                self.quorum = Group(0, ()) if name == _NONE else Group(1, (self._defined(name),))
            case _:
                raise NotATrustFile(f"line {number}: not a line of a trust policy")

    def trusted_logs(self) -> dict[str, TrustedLog]:
        if not self.logs or self.logs.keys() != self.beginnings.keys():
            raise NotATrustFile("every log needs the hash of the event that its record begins with, and no other")
        return {origin: TrustedLog(key, self.beginnings[origin]) for origin, key in self.logs.items()}

    def the_quorum(self) -> Group:
        if self.quorum is None:
            raise NotATrustFile("there is no line that says whose cosignatures suffice")
        return self.quorum

    def _begins(self, origin: str, digest: str) -> None:
        if origin in self.beginnings:
            raise NotATrustFile(f"two beginnings of {origin}")
        self.beginnings[origin] = digest

    def _log(self, key: NoteKey) -> None:
        Origin.parse(key.name)
        self._check_new(key, KeyType.LOG, self.logs)
        if key.name in self.logs:
            raise NotATrustFile(f"two keys of {key.name}")
        self.logs[key.name] = key

    def _witness(self, name: str, key: NoteKey) -> None:
        self._check_new(key, KeyType.COSIGNER, self.witnesses)
        self._check_free(name)
        self.witnesses[name] = key

    def _check_new(self, key: NoteKey, expected: KeyType, known: Mapping[str, NoteKey]) -> None:
        if key.type is not expected:
            raise NotATrustFile(f"{key.name} is of type {key.type:#04x}, not {expected:#04x}")
        if key.public_key in {other.public_key for other in known.values()}:
            raise NotATrustFile(f"{key.name} has the key of another")

    def _group(self, name: str, threshold: str, names: tuple[str, ...]) -> None:
        self._check_free(name)
        members = tuple(self._defined(member) for member in names)
        if len(set(names)) != len(names) or not self.members.isdisjoint(names):
            raise NotATrustFile(f"a member of {name} is counted twice")
        self.members.update(names)
        self.groups[name] = Group(_threshold(threshold, len(names)), members)

    def _check_free(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise NotATrustFile(f"the name {name} is taken")

    def _defined(self, name: str) -> str | Group:
        if name not in self.witnesses and name not in self.groups:
            raise NotATrustFile(f"nobody is called {name} on the lines before")
        return self.groups.get(name, name)


def _threshold(text: str, members: int) -> int:
    words = {"any": 1, "all": members}
    threshold = words[text] if text in words else int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= threshold <= members:
        raise NotATrustFile(f"{text} of {members} is no number of cosigners")
    return threshold


def _lines(raw: bytes) -> list[str]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise NotATrustFile("not UTF-8") from error
    if any(character < " " and character not in "\t\n" for character in text):
        raise NotATrustFile("a control character")
    return text.split("\n")
