"""Reading of event logs: CSV and XES (IEEE 1849-2016), also compressed with gzip, in flat memory."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from handoff.config import ConfigurationError
from handoff.operations.errors import OperationError
from handoff.operations.past_handovers.mapping import Columns, Mapping

_XES_KEYS = Columns(case="concept:name", activity="concept:name", time="time:timestamp")
_Content = gzip.GzipFile | io.BufferedReader
_XES_TRANSITION = "lifecycle:transition"


class UnreadableLog(OperationError):
    """A file that is not a readable CSV or XES log. The message has the place of the error."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as the log has it; an absent or empty value is None. ``number`` counts from 1."""

    number: int
    case: str | None
    activity: str | None
    time: str | None
    group: str | None
    transition: str | None
    malformed: bool = False


def read_events(
    path: Path, mapping: Mapping, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Iterator[LoggedEvent]:
    """Yield each event in the file's order.

    ``progress`` receives the bytes of the file that are read and its size. Raises UnreadableLog, ConfigurationError for
    a column that the file lacks, and OSError.
    """
    read = {"csv": _read_csv, "xes": _read_xes}[_format(path)]
    total = path.stat().st_size
    with path.open("rb") as raw, _reading(path):
        content = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        for event in read(path, content, mapping):
            if event.number % 1000 == 0:
                progress(raw.tell(), total)
            yield event
    progress(total, total)


def _format(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    form = name.rpartition(".")[2].lower()
    if form not in ("csv", "xes"):
        raise UnreadableLog(f"{path}: the name has to end with .csv, .xes, .csv.gz or .xes.gz")
    return form


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        raise UnreadableLog(f"{path} is not well-formed XML: {error}") from None
    except DefusedXmlException:
        raise UnreadableLog(f"{path} declares entities, which no event log needs") from None
    except csv.Error as error:
        raise UnreadableLog(f"{path} is not CSV: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableLog(f"{path} is not a whole gzip file: {error}") from None


# CSV


def _read_csv(path: Path, content: _Content, mapping: Mapping) -> Iterator[LoggedEvent]:
    # Bytes that are not text become U+FFFD, so that one row is refused and not the file.
    with io.TextIOWrapper(content, encoding=mapping.csv.encoding, errors="replace", newline="") as text:
        rows = csv.reader(text, delimiter=mapping.csv.delimiter, strict=True)
        header = next(rows, [])
        places = _places(path, header, mapping.columns)
        for number, row in enumerate((row for row in rows if row), 1):
            if len(row) != len(header):
                yield LoggedEvent(number, None, None, None, None, None, malformed=True)
                continue
            values = (None if place is None else row[place].strip() or None for place in places)
            case, activity, time, group, transition = values
            yield LoggedEvent(number, case, activity, time, group, transition)


def _places(path: Path, header: Sequence[str], columns: Columns) -> tuple[int | None, ...]:
    """Return the index of each mapped column, in the order of ``LoggedEvent``."""
    known = Counter(header)
    for key, name in columns:
        if name is None and key in ("case", "activity", "time"):
            raise ConfigurationError(f"columns.{key}: a CSV file has no standard names; name the column")
        if name is not None and known[name] != 1:
            found = "no column" if name not in known else "more than one column"
            raise ConfigurationError(f"columns.{key}: {path} has {found} {name!r}; it has: {', '.join(known)}")
    named = (columns.case, columns.activity, columns.time, columns.group, columns.transition)
    return tuple(None if name is None else header.index(name) for name in named)


# XES


def _read_xes(path: Path, content: _Content, mapping: Mapping) -> Iterator[LoggedEvent]:
    columns = Columns.model_validate(_XES_KEYS.model_dump() | mapping.columns.model_dump(exclude_none=True))
    transition = columns.transition or _XES_TRANSITION
    steps = iterparse(content, events=("start", "end"), forbid_dtd=True)
    _, root = next(steps)
    if _tag(root) != "log":
        raise UnreadableLog(f"{path} is not XES: the root is {_tag(root)!r} and not 'log'")
    trace: Element | None = None
    number = 0
    for step, element in steps:
        match step, _tag(element):
            case "start", "trace":
                trace = element
            case "end", "trace":
                trace = None
                root.clear()
            case "end", "event":
                number += 1
                values = _attributes(element)
                case = None if trace is None else _attributes(trace).get(columns.case or "")
                yield LoggedEvent(
                    number,
                    case,
                    values.get(columns.activity or ""),
                    values.get(columns.time or ""),
                    values.get(columns.group or ""),
                    values.get(transition),
                )
                if trace is not None:
                    trace.remove(element)


def _attributes(element: Element) -> dict[str, str]:
    """Return the attributes of a trace or event by key; of a repeated key, the last."""
    return {
        child.get("key", ""): value
        for child in element
        if _tag(child) != "event" and (value := child.get("value", "").strip())
    }


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
