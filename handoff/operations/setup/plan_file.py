"""The plan of a jurisdiction, as a state directory stores it."""

import shutil
from pathlib import Path

from handoff.adapters.files.private_file import private_directory
from handoff.package_data import data_path

FILE = "plan.toml"


def plan_path(directory: Path, given: Path | None) -> Path:
    """Path of the plan to use: ``given``, else that stored in ``directory``, else the sample plan of Prizren."""
    stored = directory / FILE
    return given or (stored if stored.exists() else data_path("prizren.toml"))


def store_plan(directory: Path, plan: Path) -> None:
    """Store a copy of ``plan`` in ``directory``, for the commands that follow."""
    stored = directory / FILE
    if plan.absolute() != stored.absolute():
        private_directory(directory)
        shutil.copyfile(plan, stored)
