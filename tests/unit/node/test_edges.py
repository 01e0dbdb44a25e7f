"""A node's small edges: its key's file, and how much its libraries may say."""

import logging
from pathlib import Path

import pytest

from handoff.adapters.files.signing_keys import idempotency_secret, signing_key
from handoff.config import ConfigurationError
from handoff.logging_setup import QUIET_AFTER_LINES, Quieter
from handoff.node.commands.derived_ids import key_hashing
from tests.support.dsl.builders import key_of


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(key_of("police").seed.hex() + "\n")
    assert signing_key(path).id == key_of("police").id


@pytest.mark.parametrize("content", ["", "zz", "ab" * 31, "ab" * 33, "ë"])
def test_a_file_that_holds_no_key_is_named_and_its_content_is_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="signing_key_file") as error:
        signing_key(path)
    assert not content or content not in str(error.value)


def test_a_missing_key_file_is_a_configuration_error(tmp_path: Path) -> None:
    for path in (None, tmp_path / "nothing"):
        with pytest.raises(ConfigurationError, match="signing_key_file"):
            signing_key(path)


def test_a_node_has_a_secret_for_idempotency_keys(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("ab" * 32)
    assert idempotency_secret(path) == b"\xab" * 32
    for missing in (None, tmp_path / "nothing"):
        with pytest.raises(ConfigurationError, match="idempotency_secret_file"):
            idempotency_secret(missing)


def test_two_members_and_two_secrets_hash_a_key_differently() -> None:
    """The hash is an HMAC: without the secret it cannot be computed, and so not guessed."""
    hashes = {
        key_hashing(secret, member)("044-000-000")
        for secret in (b"a" * 32, b"b" * 32)
        for member in ("police", "shelter")
    }
    assert len(hashes) == 4
    assert key_hashing(b"a" * 32, "police")("044-000-000") in hashes


def test_a_client_library_is_quiet_in_an_outage_and_the_node_is_not() -> None:
    quieter = Quieter()

    def passes(name: str) -> int:
        record = logging.LogRecord(name, logging.WARNING, __file__, 1, "again", None, None)
        return sum(quieter.filter(record) for _ in range(1000))

    assert passes("aiokafka.conn") == QUIET_AFTER_LINES
    assert passes("handoff.node.outbox.relay") == 1000
