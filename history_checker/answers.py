"""The log of answered commands: one JSON line for each, flushed before the agency believes it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from history_checker.evidence import Answered


class AnswerLog:
    """Where a load notes what it was answered with success, so that the checker can ask for it back."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self.count = 0

    def note(self, member: str, subject: str, events: Iterable[str]) -> None:
        """A command's events were answered."""
        for event in events:
            self._file.write(json.dumps({"member": member, "event": event, "subject": subject}) + "\n")
            self.count += 1
        self._file.flush()

    def close(self) -> None:
        """Ends the log."""
        self._file.close()


def read_answers(path: Path) -> Iterator[Answered]:
    """Every answer in the log."""
    for line in path.read_text().splitlines():
        yield Answered(**json.loads(line))
