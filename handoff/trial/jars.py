"""Jars of programs in Java: downloaded once by jgo and checked against the hashes of a lock file."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from handoff.package_data import data_path
from handoff.trial.errors import TrialError


class Jar(NamedTuple):
    """One locked jar."""

    group: str
    artifact: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class JarCollection:
    """Jars of one program, named by ``title`` in messages, as its lock file ``lock`` has them."""

    name: str
    title: str
    lock: Path

    @property
    def jars(self) -> tuple[Jar, ...]:
        """Rows of the lock file."""
        lines = self.lock.read_text(encoding="utf-8").splitlines()
        return tuple(_jar(line) for line in lines if line and not line.startswith("#"))

    @property
    def class_path(self) -> str:
        """Class path of the program. Its jars may still be missing."""
        return f"{self._folder}/*"

    @property
    def is_cached(self) -> bool:
        """Return whether all jars are in the cache."""
        return self._folder.exists()

    def download(self) -> None:
        """Download the jars that the cache lacks. Of several concurrent calls, one downloads. Raises TrialError."""
        folder = self._folder
        if folder.exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not folder.exists():
                self._fill(folder)

    @property
    def _folder(self) -> Path:
        """Folder of the jars in the user's cache. Its name is derived from their hashes."""
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        digest = hashlib.sha256("".join(jar.sha256 for jar in self.jars).encode()).hexdigest()
        return Path(home) / "handoff" / f"{self.name}-{digest[:16]}"

    def _fill(self, folder: Path) -> None:
        """Download into a temporary folder and rename it once it is complete and checked."""
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda jar: self._download(jar, partial), self.jars))
        shutil.rmtree(partial / "maven")
        partial.rename(folder)

    def _download(self, jar: Jar, folder: Path) -> None:
        from jgo.maven import MavenContext

        # Use a separate Maven repository: that of the user may have the rest of an interrupted download.
        component = MavenContext(repo_cache=folder / "maven").project(jar.group, jar.artifact)
        try:
            fetched = Path(component.at_version(jar.version).artifact().resolve())
        except (OSError, RuntimeError) as error:
            raise TrialError(f"{self.title}'s {jar.artifact} {jar.version} could not be downloaded: {error}") from error
        if hashlib.sha256(fetched.read_bytes()).hexdigest() != jar.sha256:
            raise TrialError(f"{self.title}'s {jar.artifact} {jar.version} does not have the hash in {self.lock.name}.")
        fetched.rename(folder / fetched.name)


def _jar(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


BROKER = JarCollection("kafka", "Apache Kafka", data_path("kafka", "jars.lock"))
"""Jars of the trial's broker."""
