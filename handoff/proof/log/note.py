"""Signed notes: a text, and under it the signatures of those who stand by it.

Source: C2SP signed-note. Key types: 0x01 for a log's key, 0x04 for a cosigner's (C2SP tlog-cosignature). Signatures
by unknown keys mean nothing; one that claims a known key and does not verify spoils the whole note.
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

MAX_NOTE_BYTES: Final = 64 * 1024
_DASH: Final = "\N{EM DASH} "


class NotANote(Exception):
    """Bytes that are no signed note, key or signature line of the formats used here: refuse them."""


class NotGenuine(Exception):
    """A signature that claims a known key and does not verify: whoever made it is not to be trusted."""


class KeyType(IntEnum):
    """What a key signs, as the byte that is hashed into its id."""

    LOG = 0x01
    COSIGNER = 0x04


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A named public key of one type: C2SP's verifier key."""

    name: str
    type: KeyType
    public_key: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name it: a hint, not a hash to rely on."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode_base64(bytes([self.type]) + self.public_key)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key in ``text``; raises ``NotANote``."""
        name, _, rest = text.partition("+")
        key_id, _, material = rest.partition("+")
        raw = decode_base64(material)
        if not _is_name(name) or not raw or raw[0] not in set(KeyType) or not is_valid_public_key(raw[1:]):
            raise NotANote(f"not a verifier key of a log or a cosigner: {name}")
        key = cls(name, KeyType(raw[0]), raw[1:])
        if key.id.hex() != key_id:
            raise NotANote(f"the id of {name} is not that of its key")
        return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who claims it, under which key id, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_by(self, key: NoteKey) -> bool:
        """Whether it claims to be ``key``'s."""
        return (self.name, self.key_id) == (key.name, key.id)

    @classmethod
    def parse(cls, line: str) -> Self:
        """The signature in ``line``, without its newline; raises ``NotANote``."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        raw = decode_base64(encoded)
        if not line.startswith(_DASH) or not _is_name(name) or len(raw) < 5:
            raise NotANote("not a signature line")
        return cls(name, raw[:4], raw[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures in the order of their lines."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    def __str__(self) -> str:
        return self.text + "\n" + "".join(str(signature) for signature in self.signatures)

    def signed(self, *signatures: NoteSignature) -> Self:
        """The note with more signatures."""
        return type(self)(self.text, (*self.signatures, *signatures))

    def claims(self, key: NoteKey) -> tuple[NoteSignature, ...]:
        """The signatures that claim to be ``key``'s."""
        return tuple(signature for signature in self.signatures if signature.is_by(key))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The note in ``raw``; raises ``NotANote``."""
        written = _printable(raw)
        text, separator, lines = written.rpartition("\n\n")
        if not separator or not text or not lines.endswith("\n"):
            raise NotANote("a note is a text, an empty line and signature lines")
        return cls(text + "\n", tuple(NoteSignature.parse(line) for line in lines[:-1].split("\n")))


def sign(note: Note, name: str, key: SigningKey) -> Note:
    """``note`` with the signature of the log whose key this is."""
    raw = key.sign_itself(note.text.encode())
    return note.signed(NoteSignature(name, NoteKey(name, KeyType.LOG, key.public_key).id, raw))


def is_signed(note: Note, key: NoteKey) -> bool:
    """Whether the log of that key signed; raises ``NotGenuine`` where a signature only claims it."""
    claims = note.claims(key)
    for claim in claims:
        check_signature(key, note.text.encode(), claim.signature)
    return bool(claims)


def check_signature(key: NoteKey, message: bytes, signature: bytes) -> None:
    """Raises ``NotGenuine`` unless the signature is that key's over ``message``."""
    try:
        VerifyKey(key.public_key).verify(message, signature)
    except (BadSignatureError, ValueError) as error:
        raise NotGenuine(f"a signature that claims {key.name} is not by its key") from error


def encode_base64(raw: bytes) -> str:
    """RFC 4648, section 4."""
    return base64.b64encode(raw).decode()


def decode_base64(text: str) -> bytes:
    """The bytes in ``text``, written in the only way they are; raises ``NotANote``."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotANote("not base64") from error
    if encode_base64(raw) != text:
        raise NotANote("base64 in a second way of writing it")
    return raw


def decimal(text: str) -> int:
    """A number without sign or leading zeros, below 2**63; raises ``NotANote``."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or str(int(text)) != text or int(text) >= 2**63:
        raise NotANote("not a number")
    return int(text)


def _printable(raw: bytes) -> str:
    if len(raw) > MAX_NOTE_BYTES:
        raise NotANote(f"{len(raw)} bytes are over {MAX_NOTE_BYTES}")
    try:
        written = raw.decode()
    except UnicodeDecodeError as error:
        raise NotANote("not UTF-8") from error
    if any(character < " " and character != "\n" for character in written):
        raise NotANote("a control character")
    return written


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)
