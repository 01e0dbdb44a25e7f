"""``docs/lifecycle.md``: a Mermaid diagram and tables, generated from the table of transitions.

``python -m handoff.contract.lifecycle_diagram --check`` fails if the page differs from the code; ``--write`` updates
it.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from handoff.domain.lifecycle import ACTIVE, ENDED, KNOWN, OPEN, TABLE, Change, Transition
from handoff.record.codes import State

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"

_NOT_YET_IN_ERROR = KNOWN - {State.ENTERED_IN_ERROR}
_GROUPS: Mapping[str, frozenset[State]] = {
    "any": KNOWN,
    "any but entered-in-error": _NOT_YET_IN_ERROR,
    "open": OPEN,
    "active": ACTIVE,
}
"""Name → set of states."""

_HEAD = """# The life of a referral

<!-- Written by `python -m handoff.contract.lifecycle_diagram --write` from `handoff/domain/lifecycle.py`: change it
there. -->

A referral is *open* while it is requested, accepted, in progress or on hold, and *active* once it was accepted.
An event that neither table below allows is ineffective: it stays on the record and changes nothing, and its sender
receives the reason: the state (after a revocation: `release_withdrawn`), `wrong_emitter` if the event belongs to
another role, `already` if it repeats a fact, `code_not_allowed` if its role may not use the code. The diagram omits
one transition: the source may mark a referral as entered in error in any state, even an ended one.
"""


def page() -> str:
    """Return the text of ``docs/lifecycle.md``."""
    moves = [row for row in TABLE if not row.is_fact]
    facts = [row for row in TABLE if row.is_fact]
    return "\n".join(
        (
            _HEAD,
            "```mermaid",
            *_diagram(moves),
            "```",
            "",
            "## Transitions",
            "",
            *_table(moves),
            "",
            "## Facts",
            "",
            "A fact does not change the state. Of those marked *once*, only the first is effective.",
            "",
            *_table(facts),
            "",
        )
    )


def _diagram(rows: Iterable[Transition]) -> Iterator[str]:
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


def _arrows(row: Transition) -> Iterator[tuple[str, str]]:
    if row.start == _NOT_YET_IN_ERROR:  # in the text only: an arrow from every state would hide the others
        return
    for start in (state for state in State if state in row.start):
        ends = _before_a_pause() if row.end is Change.BACK else (State(row.end),)
        yield from ((_node(start), _node(end)) for end in ends)


def _before_a_pause() -> tuple[State, ...]:
    pausing = frozenset[State]().union(*(row.start for row in TABLE if row.end is State.ON_HOLD))
    return tuple(state for state in State if state in pausing)


def _node(state: State) -> str:
    return "[*]" if state is State.ABSENT else state.value.replace("-", "_")


def _event(row: Transition) -> str:
    return row.event.type.removeprefix("referral.").removesuffix(".v1")


def _table(rows: Iterable[Transition]) -> Iterator[str]:
    yield "| event | by | from | to | only if |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.event.type} | {row.by} | {_states(row.start)} | {row.end} | {_terms(row)} |"


def _states(states: frozenset[State]) -> str:
    named = next((name for name, group in _GROUPS.items() if group == states), None)
    return named or ", ".join(state for state in State if state in states)


def _terms(row: Transition) -> str:
    codes = (f"code is {' or '.join(sorted(row.codes))}",) if row.codes is not None else ()
    conditions = (condition.__name__.replace("_", " ") for condition in row.conditions)
    return "; ".join((*codes, *conditions, *(("once",) if row.once else ())))


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 if the page differs from the code, 2 for wrong arguments."""
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
