"""Signed statement of a reader's verdicts on the whole record up to a position, and its comparison with another's.

The monitor publishes it beside the log: never in a note or a leaf, because a rule may change and a proof must not.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from handoff.domain.record_fold import JudgedRecord
from handoff.judging.verdict_digest import VerdictDigest
from handoff.proof.log.verifiers import NoteVerifier
from handoff.record import formats
from handoff.record.delivery import REDACTED, Verdict
from handoff.record.signing import SigningKey, verifies

_DIGEST_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_BODY_LINES: Final = 5
_LARGEST: Final = 1024


class NotAStatement(Exception):
    """Bytes that are no statement, or one that the expected key did not sign."""


class VerdictComparison(StrEnum):
    """Result of comparing two statements about one record."""

    SAME = "same"
    DIFFERENT = "different"
    """An alarm: one of the two readers, or its database, is wrong."""
    NOT_COMPARABLE = "not_comparable"
    """The positions, the versions of the rules or the numbers of redacted entries differ."""


@dataclass(frozen=True, slots=True)
class VerdictStatement:
    """Digest of the verdicts on the first ``size`` entries of the record ``origin``.

    ``rules`` is the version by which the last entry was judged, and ``redacted`` the number of entries whose value a
    stub had replaced: their verdict is *redacted*, whatever it was before.
    """

    origin: str
    size: int
    rules: int
    redacted: int
    digest: bytes

    def signed(self, *keys: SigningKey) -> bytes:
        """Return the statement with the signature of each key: during a rotation, the monitor has two."""
        body = self._body()
        signatures = (key.sign(body, formats.VERDICT_STATEMENT).hex() for key in keys)
        return body + "".join(f"{signature}\n" for signature in signatures).encode()

    @classmethod
    def open(cls, raw: bytes, monitor: NoteVerifier) -> Self:
        """Return the statement that a key of ``monitor`` signed that counts at its size. Raises ``NotAStatement``."""
        lines = raw.split(b"\n")
        if len(raw) > _LARGEST or len(lines) <= _BODY_LINES + 1 or lines[-1]:
            raise NotAStatement("a statement of verdicts has five lines and a signature")
        try:
            size, rules, redacted = (_number(line) for line in lines[1:4])
            found = cls(lines[0].decode(), size, rules, redacted, bytes.fromhex(lines[4].decode()))
            signatures = [bytes.fromhex(line.decode()) for line in lines[_BODY_LINES:-1]]
        except ValueError as error:
            raise NotAStatement(f"a line of a statement of verdicts is malformed: {error}") from error
        body = found._body()
        if (
            len(found.digest) != _DIGEST_BYTES
            or any(len(s) != _SIGNATURE_BYTES for s in signatures)
            or not raw.startswith(body)
        ):
            raise NotAStatement("a statement of verdicts has another spelling than the canonical one")
        keys = [key.public_key for key in monitor.keys_at(size)]
        if not any(verifies(k, body, s, formats.VERDICT_STATEMENT) for k in keys for s in signatures):
            raise NotAStatement("the monitor did not sign this statement of verdicts")
        return found

    def compared_with(self, other: "VerdictStatement") -> VerdictComparison:
        """Compare the digests, if both are about the same position, rules and redactions."""
        if replace(self, digest=b"") != replace(other, digest=b""):
            return VerdictComparison.NOT_COMPARABLE
        return VerdictComparison.SAME if self.digest == other.digest else VerdictComparison.DIFFERENT

    def _body(self) -> bytes:
        lines = (self.origin, self.size, self.rules, self.redacted, self.digest.hex())
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class ComparedVerdicts:
    """Result of the comparison of a timeline with the monitor's statement about ``size`` entries."""

    comparison: VerdictComparison
    size: int
    rules: int

    @property
    def is_alarming(self) -> bool:
        """True if timeline and monitor have other verdicts by the same rules."""
        return self.comparison is VerdictComparison.DIFFERENT


@dataclass(slots=True)
class RunningVerdicts:
    """Verdicts of a reader on the first ``size`` entries, as what its statement needs."""

    size: int = 0
    rules: int = 0
    redacted: int = 0
    head: bytes | None = None

    def add(self, offset: int, rules: int, verdict: Verdict) -> None:
        """Add the verdict on the entry at ``offset`` by a version of the rules."""
        digest = VerdictDigest(self.head)
        digest.add(offset, rules, verdict)
        self.size, self.rules, self.head = offset + 1, rules, digest.head
        self.redacted += verdict == REDACTED

    def add_judged(self, judged: JudgedRecord) -> None:
        """Add the next judged entry."""
        self.add(judged.record.offset, judged.rules, judged.verdict)

    def statement(self, origin: str) -> VerdictStatement:
        """Return the statement about the entries added so far."""
        return VerdictStatement(origin, self.size, self.rules, self.redacted, VerdictDigest(self.head).head)


def _number(line: bytes) -> int:
    text = line.decode()
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no number")
    return int(text)
