"""Signed notes: a text followed by signature lines.

Source: C2SP signed-note. Key types: 0x01 for a log's key, 0x04 for a cosigner's (C2SP tlog-cosignature). Signatures
by unknown keys are ignored. One that names a known key and does not verify invalidates the whole note.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from handoff.record.signing import SigningKey, is_valid_public_key

MAX_NOTE_BYTES: Final = 16 * 1024
MAX_SIGNATURES: Final = 64
"""More than a log has cosigners. A note is refused before any of its signatures is checked."""
_DASH: Final = "\N{EM DASH} "


class MalformedNote(Exception):
    """Bytes that are not a signed note, key or signature line of this format: refuse them."""


class InvalidSignature(Exception):
    """A signature that names a known key and does not verify: do not trust its source."""


class KeyType(IntEnum):
    """Use of a key; the byte is part of the hash that makes the key's id."""

    LOG = 0x01
    COSIGNER = 0x04


@dataclass(frozen=True, slots=True)
class NoteKey:
    """Verifier key (C2SP signed-note): name, type and public key."""

    name: str
    type: KeyType
    public_key: bytes

    @property
    def id(self) -> bytes:
        """Key id, four bytes. A hint for lookup; it does not authenticate the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public_key).digest()[:4]

    @property
    def short(self) -> str:
        """Name and key id, without the public key."""
        return f"{self.name}+{self.id.hex()}"

    @property
    def public_keys(self) -> tuple["NoteKey", ...]:
        """The key itself."""
        return (self,)

    def keys_at(self, _size: int) -> tuple["NoteKey", ...]:
        """Return the key: it counts on a tree of any size."""
        return (self,)

    def __str__(self) -> str:
        return f"{self.short}+{encode_base64(bytes([self.type]) + self.public_key)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a verifier key. Raises ``MalformedNote``."""
        name, _, rest = text.partition("+")
        key_id, _, material = rest.partition("+")
        raw = decode_base64(material)
        if not _is_name(name) or not raw or raw[0] not in set(KeyType) or not is_valid_public_key(raw[1:]):
            raise MalformedNote(f"not a verifier key of a log or a cosigner: {name}")
        key = cls(name, KeyType(raw[0]), raw[1:])
        if key.id.hex() != key_id:
            raise MalformedNote(f"the key id of {name} does not match its public key")
        return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, key id and signature bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_by(self, key: NoteKey) -> bool:
        """Return whether name and key id are those of ``key``; the signature is not verified."""
        return (self.name, self.key_id) == (key.name, key.id)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Parse a signature line without its newline. Raises ``MalformedNote``."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        raw = decode_base64(encoded)
        if not line.startswith(_DASH) or not _is_name(name) or len(raw) < 5:
            raise MalformedNote("not a signature line")
        return cls(name, raw[:4], raw[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures in line order."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    def __str__(self) -> str:
        return self.text + "\n" + "".join(str(signature) for signature in self.signatures)

    def signed(self, *signatures: NoteSignature) -> Self:
        """Return the note with more signatures."""
        return type(self)(self.text, (*self.signatures, *signatures))

    def claims(self, key: NoteKey) -> tuple[NoteSignature, ...]:
        """Return the signatures that name ``key``; none is verified."""
        return tuple(signature for signature in self.signatures if signature.is_by(key))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Parse a note. Raises ``MalformedNote``."""
        written = _printable(raw)
        text, separator, lines = written.rpartition("\n\n")
        if not separator or not text or not lines.endswith("\n"):
            raise MalformedNote("a note is a text, an empty line and signature lines")
        # Counted before they are parsed, and parsed before any is checked: anyone may write a note.
        if lines.count("\n") > MAX_SIGNATURES:
            raise MalformedNote(f"a note has at most {MAX_SIGNATURES} signature lines")
        signatures = tuple(NoteSignature.parse(line) for line in lines[:-1].split("\n"))
        if len({(signature.name, signature.key_id) for signature in signatures}) < len(signatures):
            raise MalformedNote("a note has two signature lines of one key")
        return cls(text + "\n", signatures)


def sign(note: Note, name: str, *keys: SigningKey) -> Note:
    """Add the signatures of the log that owns ``keys``."""
    text = note.text.encode()
    ids = (NoteKey(name, KeyType.LOG, key.public_key).id for key in keys)
    signatures = (NoteSignature(name, key_id, key.sign_itself(text)) for key_id, key in zip(ids, keys, strict=True))
    return note.signed(*signatures)


def is_signed(note: Note, *keys: NoteKey) -> bool:
    """Return whether one of a log's keys signed ``note``. Raises ``InvalidSignature`` if a signature by one fails."""
    claims = [(key, claim) for key in keys for claim in note.claims(key)]
    for key, claim in claims:
        check_signature(key, note.text.encode(), claim.signature)
    return bool(claims)


def check_signature(key: NoteKey, message: bytes, signature: bytes) -> None:
    """Verify ``signature`` over ``message``. Raises ``InvalidSignature``."""
    try:
        VerifyKey(key.public_key).verify(message, signature)
    except (BadSignatureError, ValueError) as error:
        raise InvalidSignature(f"a signature under the name {key.name} does not verify") from error


def encode_base64(raw: bytes) -> str:
    """Encode as base64 (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode()


def decode_base64(text: str) -> bytes:
    """Decode base64 in its canonical form. Raises ``MalformedNote``."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedNote("not base64") from error
    if encode_base64(raw) != text:
        raise MalformedNote("base64 is not in canonical form")
    return raw


def decimal(text: str) -> int:
    """Parse a decimal number without sign or leading zeros, below 2**63. Raises ``MalformedNote``."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or str(int(text)) != text or int(text) >= 2**63:
        raise MalformedNote("not a decimal number below 2**63")
    return int(text)


def _printable(raw: bytes) -> str:
    if len(raw) > MAX_NOTE_BYTES:
        raise MalformedNote(f"{len(raw)} bytes exceed the limit of {MAX_NOTE_BYTES}")
    try:
        written = raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedNote("not UTF-8") from error
    if any(character < " " and character != "\n" for character in written):
        raise MalformedNote("a control character is not allowed")
    return written


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)
