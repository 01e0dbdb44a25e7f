"""Steps of a rotation in a trust file, and a process that reads the renewed file without a restart."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from handoff.adapters.files.trust_file import TrustFile
from handoff.config import CheckpointSettings, ConfigurationError
from handoff.operations.errors import OperationError
from handoff.operations.new_key import create_log_key, create_witness_key
from handoff.operations.trust_keys import add_key, end_key
from handoff.proof.log.checkpoint import Origin
from handoff.proof.log.verifiers import ANY_SIZE, EndedKey, RotatedKey
from handoff.proof.verify.trust import TrustPolicy
from tests.support.parts.checkpoints import PlayedLog

PLAYED = PlayedLog("prizren")


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    return PLAYED.write_trust_file(tmp_path)


def policy(path: Path) -> TrustPolicy:
    return TrustPolicy.parse(path.read_bytes())


def test_a_log_key_is_added_and_the_old_one_ended(trust_file: Path) -> None:
    following = create_log_key(trust_file.parent / "next.key", PLAYED.origin)
    add_key(trust_file, str(following))
    assert policy(trust_file).logs[str(PLAYED.origin)].key == RotatedKey((PLAYED.key, following))
    end_key(trust_file, PLAYED.key.short, 4711)
    assert policy(trust_file).logs[str(PLAYED.origin)].key == RotatedKey((EndedKey(PLAYED.key, 4711), following))


@pytest.mark.parametrize("name", ["monitor", "police"])
def test_a_cosigner_s_key_is_added_and_the_old_one_ended(trust_file: Path, name: str) -> None:
    before, old = policy(trust_file).quorum, PLAYED.cosigner(name)
    following = create_witness_key(trust_file.parent / "next.key", "prizren", name)
    add_key(trust_file, str(following))
    end_key(trust_file, old.short, 12)
    after = policy(trust_file)
    assert after.cosigner(old.name) == RotatedKey((EndedKey(old, 12), following))
    others = frozenset({"monitor", "police", "shelter"} - {name})
    assert before.is_met_by(others | {name})
    assert after.quorum.is_met_by(others | {f"{name}-2"})
    assert not after.quorum.is_met_by(others - {"shelter"} | {name, f"{name}-2"})


def test_a_change_that_leaves_a_reader_without_a_key_is_refused(trust_file: Path) -> None:
    raw = trust_file.read_bytes()
    with pytest.raises(OperationError, match="would have no key"):
        end_key(trust_file, PLAYED.key.short, 3)
    with pytest.raises(OperationError, match="has no key"):
        end_key(trust_file, f"{PLAYED.origin}+00000000", 3)
    with pytest.raises(OperationError, match="names no handoff/prizren/csw"):
        add_key(trust_file, str(create_witness_key(trust_file.parent / "csw.key", "prizren", "csw")))
    with pytest.raises(OperationError, match="would be refused"):
        add_key(trust_file, str(PLAYED.key))
    with pytest.raises(OperationError, match="not a verifier key"):
        add_key(trust_file, "no key")
    assert trust_file.read_bytes() == raw


def test_a_trust_file_of_another_form_is_left_alone(trust_file: Path) -> None:
    raw = b"# of the ministry\n" + trust_file.read_bytes()
    trust_file.write_bytes(raw)
    with pytest.raises(OperationError, match="edit it by hand"):
        add_key(trust_file, str(create_log_key(trust_file.parent / "next.key", PLAYED.origin)))
    assert trust_file.read_bytes() == raw


def test_a_process_reads_the_renewed_file_without_a_restart(trust_file: Path) -> None:
    read = TrustFile(CheckpointSettings(trust_file=trust_file), PLAYED.origin)
    assert read.keys_at(5) == (PLAYED.key,)
    assert read.current() is read.current()
    following = create_log_key(trust_file.parent / "next.key", PLAYED.origin)
    add_key(trust_file, str(following))
    end_key(trust_file, PLAYED.key.short, 5)
    assert read.keys_at(5) == (PLAYED.key, following)
    assert read.keys_at(6) == (following,)


def test_an_invalid_file_is_reported_once_and_the_policy_before_counts(trust_file: Path) -> None:
    read, raw = TrustFile(CheckpointSettings(trust_file=trust_file), PLAYED.origin), trust_file.read_bytes()
    with capture_logs() as logs:
        trust_file.write_bytes(raw[:40])
        assert read.keys_at(ANY_SIZE) == read.keys_at(ANY_SIZE) == (PLAYED.key,)
        trust_file.unlink()
        assert read.keys_at(ANY_SIZE) == (PLAYED.key,)
        trust_file.write_bytes(raw)
        assert read.keys_at(ANY_SIZE) == (PLAYED.key,)
    assert [line["event"] for line in logs] == ["trust_file.refused", "trust_file.refused", "trust_file.renewed"]


def test_a_mounted_file_that_is_replaced_through_a_link_is_read_again(tmp_path: Path) -> None:
    """Kubernetes replaces a ConfigMap's directory by moving a link."""
    following = create_log_key(tmp_path / "next.key", PLAYED.origin)
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        PLAYED.write_trust_file(tmp_path / version)
    add_key(tmp_path / "two" / "trust.policy", str(following))
    (tmp_path / "data").symlink_to("one")
    read = TrustFile(CheckpointSettings(trust_file=tmp_path / "data" / "trust.policy"), PLAYED.origin)
    (tmp_path / "moved").symlink_to("two")
    (tmp_path / "moved").replace(tmp_path / "data")
    assert read.keys_at(ANY_SIZE) == (PLAYED.key, following)


def test_a_process_does_not_start_with_an_invalid_file(trust_file: Path) -> None:
    with pytest.raises(ConfigurationError, match="names no log"):
        TrustFile(CheckpointSettings(trust_file=trust_file), Origin("gjakova", 1))
