"""Opaque references of handoffs on the board."""

from uuid import UUID

from handoff.views.board.references import BoardReferences
from tests.support.dsl.builders import nth_id

REFERENCES = BoardReferences.derived_from(b"s" * 32)


def test_a_reference_is_the_same_for_the_same_key_and_another_for_another() -> None:
    again, other = BoardReferences.derived_from(b"s" * 32), BoardReferences.derived_from(b"t" * 32)
    assert REFERENCES.of(nth_id(1), nth_id(2)) == again.of(nth_id(1), nth_id(2))
    assert REFERENCES.of(nth_id(1), nth_id(2)) != other.of(nth_id(1), nth_id(2))


def test_each_handoff_has_its_own_reference() -> None:
    made = {REFERENCES.of(nth_id(case), nth_id(referral)) for case in range(20) for referral in range(20)}
    assert len(made) == 400


def test_a_reference_is_a_valid_uuid_of_the_version_for_custom_content() -> None:
    made = REFERENCES.of(UUID(int=0), UUID(int=0))
    assert made.version == 8
    assert UUID(str(made)) == made


def test_the_key_is_not_the_secret_and_is_not_shown() -> None:
    assert REFERENCES.key != b"s" * 32
    assert REFERENCES.key.hex() not in repr(REFERENCES)
    assert "key" not in repr(REFERENCES)
