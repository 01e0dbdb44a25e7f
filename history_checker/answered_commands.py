"""Log of answered commands: one JSON line for each event of a command that was answered with success."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from history_checker.snapshot import ObservedCommand


class AnsweredCommandLog:
    """Append-only log of a load generator. The checker expects each of its entries on the record."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self.count = 0

    def append(self, member: str, subject: str, events: Iterable[str]) -> None:
        """Log the events of an answered command and flush, before the client acts on the answer."""
        for event in events:
            self._file.write(json.dumps({"member": member, "event": event, "subject": subject}) + "\n")
            self.count += 1
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_answered_commands(path: Path) -> Iterator[ObservedCommand]:
    """Read every entry of a log."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield ObservedCommand(**json.loads(line))
