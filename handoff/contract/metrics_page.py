"""``docs/metrics.md``: every metric of every kind of process, generated from ``handoff/telemetry.py``.

``python -m handoff.contract.metrics_page --check`` fails if the page differs from the code; ``--write`` updates it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from handoff.telemetry import EXPORTED

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

_HEAD = """# Metrics

<!-- Written by `python -m handoff.contract.metrics_page --write` from `handoff/telemetry.py`: change it there. -->

Each process exports its own metrics at `/metrics`, in the text format of Prometheus, besides those of the Python client
(`process_…`, `python_…`). A label's value is a code, spelled as in the log, in the API's problems and on the record.
No label holds the id of a case or a person, or a part of a request.
"""

_TITLES = {
    "node": "A member's node",
    "exchange": "The exchange",
    "projection": "The projection",
    "monitor": "The monitor",
}


def page() -> str:
    """Return the text of ``docs/metrics.md``."""
    return "\n".join((_HEAD, *(line for kind in EXPORTED for line in _section(kind))))


def _section(kind: str) -> Iterator[str]:
    yield f"## {_TITLES[kind]}"
    yield ""
    yield "| metric | type | labels | meaning |"
    yield "|---|---|---|---|"
    yield from sorted(_row(metric) for metric in EXPORTED[kind])
    yield ""


def _row(metric: MetricWrapperBase) -> str:
    (described,) = metric.describe()
    name = f"{described.name}_total" if described.type == "counter" else described.name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - there is no public way
    return f"| `{name}` | {described.type} | {labels} | {described.documentation} |"


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 if the page differs from the code, 2 for wrong arguments."""
    if arguments == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if arguments != ["--check"]:
        sys.stderr.write("usage: python -m handoff.contract.metrics_page --check|--write\n")
        return 2
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/metrics.md: differs from handoff/telemetry.py\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
