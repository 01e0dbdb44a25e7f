"""A trust file names the trusted keys unambiguously, or is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from handoff.proof.verify.trust import CosignerGroup, MalformedTrustFile, TrustPolicy
from tests.support.parts.proof_record import AGENCIES, trust, trust_text

TEXT = trust_text()
LINES = TEXT.splitlines()
KEYS = {line.split()[1]: line.split()[2] for line in LINES if line.startswith("witness")}
LOG, GENESIS = LINES[0], LINES[1]
T = datetime(2026, 1, 1, tzinfo=UTC)


def parsed(*lines: str) -> TrustPolicy:
    return TrustPolicy.parse("\n".join([LOG, GENESIS, *lines, ""]).encode())


def test_a_written_trust_file_is_read_back() -> None:
    read = TrustPolicy.parse(TEXT.encode())
    assert list(read.logs) == ["handoff/prizren/record/1"]
    assert list(read.witnesses) == ["monitor", *AGENCIES]
    assert read.quorum == CosignerGroup(1, (CosignerGroup(2, ("monitor", CosignerGroup(2, AGENCIES))),))


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        ({"monitor", "police", "csw"}, True),
        ({"monitor", *AGENCIES}, True),
        ({"monitor", "csw"}, False),
        (set(AGENCIES), False),
        (set(), False),
    ],
)
def test_the_monitor_and_two_agencies_are_enough(names: set[str], enough: bool) -> None:  # noqa: FBT001 - a case
    assert trust().quorum.is_met_by(frozenset(names)) is enough


def test_a_head_is_proven_until_the_last_moment_at_which_enough_had_cosigned() -> None:
    days = {name: T + timedelta(days=n) for n, name in enumerate(["police", "monitor", "csw", "shelter"])}
    assert trust().proven_at(days) == T + timedelta(days=1)
    assert trust(threshold=3).proven_at(days) == T
    assert trust().proven_at({"monitor": T}) is None


def test_an_empty_quorum_is_allowed() -> None:
    """C2SP's ``quorum none``: the head is believed, and as of when is not proven."""
    read = parsed("quorum none")
    assert read.quorum.is_met_by(frozenset())
    assert read.proven_at({}) is None


def test_blank_lines_comments_tabs_and_addresses_are_taken_as_c2sp_writes_them() -> None:
    read = parsed("", "  # a comment", f"\twitness  one {KEYS['csw']}\thttps://example.org/ ", "quorum one")
    assert read.quorum == CosignerGroup(1, ("one",))


def test_groups_count_any_all_or_a_number() -> None:
    witnesses = [f"witness {name} {key}" for name, key in KEYS.items()]
    read = parsed(*witnesses, "group a any monitor police", "group b all shelter csw", "group c 2 a b", "quorum c")
    assert read.quorum.is_met_by(frozenset({"police", "shelter", "csw"}))
    assert not read.quorum.is_met_by(frozenset({"police", "monitor", "csw"}))


W = [f"witness {name} {key}" for name, key in KEYS.items()]


@pytest.mark.parametrize(
    "lines",
    [
        [LOG, GENESIS],
        [LOG, "quorum none"],
        [GENESIS, "quorum none"],
        [LOG, GENESIS, GENESIS, "quorum none"],
        [LOG, LOG, GENESIS, "quorum none"],
        [LOG, GENESIS, "quorum none", "quorum none"],
        [LOG, GENESIS, "quorum somebody"],
        [LOG, GENESIS, "quorum"],
        [LOG, GENESIS, "trust me", "quorum none"],
        [LOG, GENESIS, "# handoff: genisis a b", "quorum none"],
        [LOG, GENESIS[:-1], "quorum none"],
        [LOG, GENESIS, W[0], W[0], "quorum monitor"],
        [LOG, GENESIS, W[0], W[0].replace("witness monitor", "witness other"), "quorum monitor"],
        [LOG, GENESIS, "witness none " + KEYS["csw"], "quorum none"],
        [LOG, GENESIS, f"witness log {LOG.split()[1]}", "quorum log"],
        [f"log {KEYS['csw']}", GENESIS, "quorum none"],
        [LOG, GENESIS, "witness csw not-a-key", "quorum csw"],
        [LOG, GENESIS, *W, "group a 0 police csw", "quorum a"],
        [LOG, GENESIS, *W, "group a 3 police csw", "quorum a"],
        [LOG, GENESIS, *W, "group a most police csw", "quorum a"],
        [LOG, GENESIS, *W, "group a 2 police police", "quorum a"],
        [LOG, GENESIS, *W, "group a any police", "group b any police csw", "quorum b"],
        [LOG, GENESIS, *W, "group a all none", "quorum a"],
        [LOG, GENESIS, *W, "group a any b", "group b any csw", "quorum a"],
        [LOG, GENESIS, *W, "group police any csw", "quorum police"],
        [LOG, GENESIS, *W, "group a any", "quorum a"],
        [LOG, GENESIS, "quorum none\r"],
    ],
)
def test_an_ambiguous_trust_file_is_refused(lines: list[str]) -> None:
    with pytest.raises(MalformedTrustFile):
        TrustPolicy.parse("\n".join([*lines, ""]).encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MalformedTrustFile):
        TrustPolicy.parse(b"\xff")
