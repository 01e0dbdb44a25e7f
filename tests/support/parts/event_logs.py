"""Event logs of past handovers, the same in CSV and in XES, with faults of every kind on request."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

Row = tuple[str, str, str, str]
"""Case, activity, time and group of one event; empty where the log has none."""

HEADER = ("case", "activity", "time", "group")
MAPPING = """
name = "past"
[columns]
case = "case"
activity = "activity"
time = "time"
group = "group"
[activities]
requests = ["ask"]
opens = ["open"]
answers = ["answer"]
starts = ["start"]
pauses = ["wait"]
resumes = ["go on"]
ends = ["close"]
"""
XES_MAPPING = MAPPING.replace(
    'case = "case"\nactivity = "activity"\ntime = "time"\ngroup = "group"', 'group = "org:group"'
)


def write_csv(path: Path, rows: Iterable[Row]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    return _write(path, text.getvalue())


def write_xes(path: Path, rows: Sequence[Row]) -> Path:
    """One trace for each case, in the order of the first event; events keep their order."""
    traces: dict[str, list[Row]] = {}
    for row in rows:
        traces.setdefault(row[0], []).append(row)
    lines = ['<?xml version="1.0"?>', '<log xes.version="1849-2016" xmlns="http://www.xes-standard.org/">']
    for case, events in traces.items():
        lines += ["<trace>", _attribute("string", "concept:name", case)]
        for _, activity, time, group in events:
            lines += [
                "<event>",
                _attribute("string", "concept:name", activity),
                _attribute("date", "time:timestamp", time),
            ]
            lines += [_attribute("string", "org:group", group), "</event>"]
        lines.append("</trace>")
    return _write(path, "\n".join([*lines, "</log>"]))


def write_mapping(path: Path, text: str = MAPPING) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def long_log(cases: int) -> list[Row]:
    """Five events for each case, of which the last has no effect, in order of time, so that cases interleave."""
    return [
        (f"case {case}", activity, f"2020-01-{day:02}T08:00:00Z", group)
        for day, (activity, group) in enumerate(
            [("ask", "police"), ("open", "csw"), ("answer", "csw"), ("close", "csw"), ("close", "csw")], 1
        )
        for case in range(cases)
    ]


def _attribute(kind: str, key: str, value: str) -> str:
    return f"<{kind} key={quoteattr(key)} value={quoteattr(value)}/>" if value else ""


def _write(path: Path, text: str) -> Path:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
