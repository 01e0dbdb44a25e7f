"""Names of a process's log files: the current one, and the ones that were full, renamed to `.1`, `.2` and so on."""

from pathlib import Path


def renamed_log(path: Path, number: int) -> Path:
    """Return the name of a full log file; the newest has the number 1."""
    return path.with_name(f"{path.name}.{number}")


def renamed_logs(path: Path) -> dict[int, Path]:
    """Return the full log files that exist, by number, the newest first."""
    found = {_number(other, path): other for other in path.parent.glob(f"{path.name}.*")}
    return {number: found[number] for number in sorted(found) if number > 0}


def log_files(path: Path) -> tuple[Path, ...]:
    """Return all files of a log that exist, the oldest first."""
    return (*reversed(renamed_logs(path).values()), *((path,) if path.exists() else ()))


def _number(renamed: Path, path: Path) -> int:
    suffix = renamed.name.removeprefix(f"{path.name}.")
    return int(suffix) if suffix.isascii() and suffix.isdecimal() else 0
