"""Data of root's database servers, which is not in their state directories, is deleted with its stack alone."""

import os
from pathlib import Path

import pytest

from handoff.trial import os_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers have their data elsewhere")


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "library"
    monkeypatch.setattr(os_user, "_LIBRARY", found)
    monkeypatch.setattr(os_user, "_reachable_binaries", lambda binaries: binaries)
    return found


def _account(directory: Path, stack: str) -> os_user.ServerAccount:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os_user.account_for(directory / "postgres", stack)


def test_a_new_stack_does_not_find_the_data_of_a_removed_one(tmp_path: Path) -> None:
    first, second = _account(tmp_path / "state", "one"), _account(tmp_path / "state", "two")
    assert first.directory != second.directory
    assert _account(tmp_path / "state", "one").directory == first.directory


def test_only_the_data_of_the_named_directory_is_deleted(tmp_path: Path) -> None:
    removed, left = _account(tmp_path / "a" / "state", "one"), _account(tmp_path / "b" / "state", "two")
    os_user.discard_server_data(tmp_path / "a")
    assert not removed.directory.exists()
    assert left.directory.exists()
