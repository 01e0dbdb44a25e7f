"""Files that only their owner may read."""

from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read. The file appears complete or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.rename(path)
