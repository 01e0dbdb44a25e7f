"""A statement of verdicts is signed, has one spelling, and is compared at one position and one version only."""

from dataclasses import replace

import pytest

from handoff.judging.verdict_statement import NotAStatement, RunningVerdicts, VerdictComparison, VerdictStatement
from handoff.proof.log.checkpoint import cosigner_key
from handoff.proof.log.verifiers import EndedKey
from handoff.record.delivery import EFFECTIVE, REDACTED, Verdict, ineffective
from tests.support.dsl.builders import key_of

_KEY = key_of("monitor")
_MONITOR = cosigner_key("small", "monitor", _KEY.public_key)


def _statement(*verdicts: Verdict, rules: int = 1) -> VerdictStatement:
    running = RunningVerdicts()
    for offset, verdict in enumerate(verdicts):
        running.add(offset, rules, verdict)
    return running.statement("small/1")


def test_a_signed_statement_is_opened_again() -> None:
    statement = _statement(EFFECTIVE, REDACTED)
    assert (statement.size, statement.rules, statement.redacted) == (2, 1, 1)
    assert VerdictStatement.open(statement.signed(_KEY), _MONITOR) == statement


_SIGNED = _statement(EFFECTIVE).signed(_KEY)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n" * 6,
        _SIGNED[:-1],
        _SIGNED + b"\n",
        _SIGNED.replace(b"small/1", b"other/1"),
        _SIGNED.replace(b"\n1\n1\n", b"\n2\n1\n"),
        _SIGNED.replace(b"\n1\n1\n", b"\n01\n1\n"),
        _SIGNED.replace(b"small/1", b"\xff"),
        b"x" * 10_000,
    ],
)
def test_other_bytes_are_no_statement(raw: bytes) -> None:
    with pytest.raises(NotAStatement):
        VerdictStatement.open(raw, _MONITOR)


def test_a_statement_of_another_key_is_refused() -> None:
    with pytest.raises(NotAStatement):
        VerdictStatement.open(_SIGNED, cosigner_key("small", "monitor", key_of("police").public_key))


def test_statements_are_compared_at_one_place_only() -> None:
    """A digest of another version of the rules, another position or before a redaction tells nothing."""
    own = _statement(EFFECTIVE, ineffective("already"))
    assert own.compared_with(_statement(EFFECTIVE, ineffective("already"))) is VerdictComparison.SAME
    assert own.compared_with(_statement(EFFECTIVE, EFFECTIVE)) is VerdictComparison.DIFFERENT
    assert own.compared_with(_statement(EFFECTIVE, ineffective("already"), rules=2)) is VerdictComparison.NOT_COMPARABLE
    assert own.compared_with(_statement(EFFECTIVE)) is VerdictComparison.NOT_COMPARABLE
    assert own.compared_with(_statement(EFFECTIVE, REDACTED)) is VerdictComparison.NOT_COMPARABLE
    assert own.compared_with(replace(own, origin="other/1")) is VerdictComparison.NOT_COMPARABLE


def test_a_key_counts_up_to_the_size_at_which_it_ended() -> None:
    """During a rotation both keys sign; afterwards the old one signs for nothing larger."""
    statement = _statement(EFFECTIVE, EFFECTIVE)
    both = statement.signed(_KEY, key_of("next"))
    assert VerdictStatement.open(both, cosigner_key("small", "monitor", key_of("next").public_key)) == statement
    assert VerdictStatement.open(both, EndedKey(_MONITOR, 2)) == statement
    with pytest.raises(NotAStatement):
        VerdictStatement.open(both, EndedKey(_MONITOR, 1))
