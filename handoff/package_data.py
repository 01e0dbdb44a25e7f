"""Data files of the distribution: migrations, the sample plan, and the files that the trial's broker needs.

In a checkout they are in `infra/`. The wheel has the same files as `handoff/data/` (see pyproject.toml).
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_path(*parts: str) -> Path:
    """Path of a data file or folder, such as ``data_path("kafka", "jars.lock")``."""
    installed = _PACKAGE / "data"
    root = installed if installed.is_dir() else _PACKAGE.parent / "infra"
    return root.joinpath(*parts)
