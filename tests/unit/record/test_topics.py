"""The declared topics."""

import re

import pytest

from handoff.record import topics as declared
from handoff.record.topics import Topic

_MEMBERS = ("police", "shelter", "coordination", "audit")


def _topic(name: str) -> Topic:
    (found,) = [topic for topic in declared.topics("prizren", _MEMBERS) if topic.name == name]
    return found


@pytest.mark.parametrize(
    ("name", "writers", "readers"),
    [
        ("prizren.out.police", {"police"}, {"exchange"}),
        ("prizren.out.coordination", {"coordination"}, {"exchange"}),
        ("prizren.out.audit", {"audit"}, {"exchange"}),
        ("prizren.record", {"exchange"}, {"exchange", "projection", "monitor"}),
        ("prizren.in.police", {"exchange"}, {"police"}),
        ("prizren.in.audit", {"exchange"}, {"audit"}),
        ("prizren.sealed.shelter", {"exchange"}, {"shelter"}),
        (
            "prizren.checkpoints",
            {"projection", "monitor", "police", "shelter"},
            {"exchange", "projection", "monitor", "police", "shelter", "coordination", "audit"},
        ),
    ],
)
def test_a_topic_is_written_and_read_by_those_in_the_design(name: str, writers: set[str], readers: set[str]) -> None:
    topic = _topic(name)
    assert (set(topic.writers), set(topic.readers)) == (writers, readers)


def test_no_topic_carries_ciphertext_for_coordination_or_audit() -> None:
    names = {topic.name for topic in declared.topics("prizren", _MEMBERS)}
    assert {name for name in names if ".sealed." in name} == {"prizren.sealed.police", "prizren.sealed.shelter"}


def test_permanent_topics_are_never_deleted_nor_compacted() -> None:
    for name in ("prizren.record", "prizren.in.police", "prizren.checkpoints"):
        config = dict(_topic(name).config)
        assert config["retention.ms"] == config["retention.bytes"] == "-1"
        assert config["cleanup.policy"] == "delete"


def test_every_topic_keeps_the_time_of_appending_and_the_bytes_as_they_were_sent() -> None:
    for topic in declared.topics("prizren", _MEMBERS):
        config = dict(topic.config)
        assert config["message.timestamp.type"] == "LogAppendTime"
        assert config["compression.type"] == "uncompressed"
        assert topic.partitions == 1


def test_expiring_data_is_not_retained_by_an_open_segment() -> None:
    for name in ("prizren.out.police", "prizren.sealed.police"):
        config = dict(_topic(name).config)
        assert int(config["segment.ms"]) <= 24 * 3_600_000 < int(config["retention.ms"])


def test_the_largest_sealed_value_and_the_largest_event_fit() -> None:
    for name in ("prizren.out.police", "prizren.sealed.police"):
        assert int(dict(_topic(name).config)["max.message.bytes"]) > declared.SEALED_LIMIT_BYTES
    for name in ("prizren.record", "prizren.in.police"):
        assert int(dict(_topic(name).config)["max.message.bytes"]) > declared.EVENT_LIMIT_BYTES


def test_the_exchange_reads_only_the_members_topics() -> None:
    pattern = re.compile(declared.out_pattern("prizren"))
    matched = {topic.name for topic in declared.topics("prizren", _MEMBERS) if pattern.match(topic.name)}
    assert matched == {declared.out_topic("prizren", member) for member in _MEMBERS}
    assert not pattern.match("prizrenx.out.police")
