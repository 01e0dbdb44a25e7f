"""Creation of a signing key: a private file, and a registration that the directory accepts."""

import stat
from pathlib import Path

import pytest

from handoff.adapters.files.signing_keys import signing_key
from handoff.domain.own_keys import KeyStatus, OwnKeys
from handoff.operations.errors import OperationError
from handoff.operations.new_key import create_key
from handoff.record.envelope import EXCHANGE
from tests.support.dsl.builders import JURISDICTION, key_of
from tests.support.dsl.spec import COORDINATION, POLICE, T0, Sent, given


@pytest.mark.parametrize("owner", [POLICE, EXCHANGE])
def test_a_created_key_is_in_force_once_the_coordinator_has_registered_it(tmp_path: Path, owner: str) -> None:
    file = tmp_path / "next.key"
    key, registration = create_key(file, JURISDICTION, owner)
    assert signing_key(file) == key
    directory = given(Sent(COORDINATION, registration)).record.directory
    assert OwnKeys(owner, key).status(directory, T0) is KeyStatus.IN_FORCE


def test_only_the_owner_of_the_file_may_read_it_and_no_file_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "next.key"
    create_key(file, JURISDICTION, POLICE)
    stored = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(OperationError, match="must not be overwritten"):
        create_key(file, JURISDICTION, POLICE)
    assert file.read_text() == stored
    assert key_of(POLICE).seed.hex() != stored


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="not a directory"):
        create_key(tmp_path / "missing" / "next.key", JURISDICTION, POLICE)
