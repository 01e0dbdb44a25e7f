"""Files and directories that only their owner may access."""

from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read. The file appears complete or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.rename(path)


def private_directory(path: Path) -> None:
    """Create a directory and its missing parents, for their owner alone whatever the umask is.

    Existing directories keep their mode.
    """
    if not path.exists():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
