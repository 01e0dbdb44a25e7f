"""Data files of the distribution: migrations, the sample plan, the trial broker's files and the published schemas.

In a checkout they are in `infra/` and `schemas/`. The wheel has the same files as `handoff/data/` (see pyproject.toml).
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_path(*parts: str) -> Path:
    """Path of a data file or folder, such as ``data_path("kafka", "jars.lock")``."""
    return _root("infra").joinpath(*parts)


def schemas_path(*parts: str) -> Path:
    """Path of a published file or folder, such as ``schemas_path("events", "case.opened.v1.json")``."""
    return _root("").joinpath("schemas", *parts)


def _root(folder_of_checkout: str) -> Path:
    installed = _PACKAGE / "data"
    return installed if installed.is_dir() else _PACKAGE.parent / folder_of_checkout
