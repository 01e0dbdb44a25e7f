"""The lifecycle as people read it: a Mermaid diagram and a table, drawn from the table that judges.

``python -m handoff.contract.lifecycle_diagram --check`` fails where ``docs/lifecycle.md`` differs from the code;
``--write``
brings it up to date.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from handoff.domain.lifecycle import ACTIVE, ENDED, KNOWN, OPEN, TABLE, Change, Row
from handoff.record.codes import State

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"

_NOT_YET_IN_ERROR = KNOWN - {State.ENTERED_IN_ERROR}
_GROUPS: Mapping[str, frozenset[State]] = {
    "any": KNOWN,
    "any but entered-in-error": _NOT_YET_IN_ERROR,
    "open": OPEN,
    "active": ACTIVE,
}
"""Sets of states that have a name of their own."""

_HEAD = """# The life of a referral

<!-- Written by `python -m handoff.contract.lifecycle_diagram --write` from `handoff/domain/lifecycle.py`: change it
there. -->

A referral is *open* while it is requested, accepted, in progress or on hold, and *active* once it was accepted.
Everything that stands in neither table below is ineffective: it stays on the record, changes nothing, and its sender
is told the state as the reason (after a revocation: `release_withdrawn`). What the diagram leaves out to stay readable:
the source may mark a referral as entered in error in any state, even an ended one.
"""


def page() -> str:
    """The whole of ``docs/lifecycle.md``."""
    moves = [row for row in TABLE if not row.is_fact]
    facts = [row for row in TABLE if row.is_fact]
    return "\n".join(
        (
            _HEAD,
            "```mermaid",
            *_diagram(moves),
            "```",
            "",
            "## What changes the state",
            "",
            *_table(moves),
            "",
            "## What leaves it as it is",
            "",
            "Facts stand beside the state. Of those marked *once*, the first counts.",
            "",
            *_table(facts),
            "",
        )
    )


def _diagram(rows: Iterable[Row]) -> Iterator[str]:
    yield "stateDiagram-v2"
    yield from (f'    state "{state}" as {_node(state)}' for state in State if "-" in state)
    arrows: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in rows:
        for arrow in _arrows(row):
            arrows.setdefault(arrow, {}).setdefault(_event(row), []).append(row.by)
    for (start, end), events in arrows.items():
        label = ", ".join(f"{event} ({' or '.join(by)})" for event, by in events.items())
        yield f"    {start} --> {end}: {label}"
    yield from (f"    {_node(state)} --> [*]" for state in State if state in ENDED)


def _arrows(row: Row) -> Iterator[tuple[str, str]]:
    if row.start == _NOT_YET_IN_ERROR:  # said in words: an arrow from every state would hide the others
        return
    for start in (state for state in State if state in row.start):
        ends = _before_a_pause() if row.end is Change.BACK else (State(row.end),)
        yield from ((_node(start), _node(end)) for end in ends)


def _before_a_pause() -> tuple[State, ...]:
    pausing = frozenset[State]().union(*(row.start for row in TABLE if row.end is State.ON_HOLD))
    return tuple(state for state in State if state in pausing)


def _node(state: State) -> str:
    return "[*]" if state is State.ABSENT else state.value.replace("-", "_")


def _event(row: Row) -> str:
    return row.event.type.removeprefix("referral.").removesuffix(".v1")


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield "| event | by | from | to | only if |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.event.type} | {row.by} | {_states(row.start)} | {row.end} | {_terms(row)} |"


def _states(states: frozenset[State]) -> str:
    named = next((name for name, group in _GROUPS.items() if group == states), None)
    return named or ", ".join(state for state in State if state in states)


def _terms(row: Row) -> str:
    codes = (f"code is {' or '.join(sorted(row.codes))}",) if row.codes is not None else ()
    conditions = (condition.__name__.replace("_", " ") for condition in row.conditions)
    return "; ".join((*codes, *conditions, *(("once",) if row.once else ())))


def main(arguments: list[str]) -> int:
    """The exit status: 1 where the page differs from the code, 2 where it was asked for nothing."""
    if arguments == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if arguments != ["--check"]:
        sys.stderr.write("usage: python -m handoff.contract.lifecycle_diagram --check|--write\n")
        return 2
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/lifecycle.md: differs from handoff/domain/lifecycle.py\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
