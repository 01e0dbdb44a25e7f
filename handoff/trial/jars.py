"""Jars of Apache Kafka: downloaded once by jgo and checked against the hashes of jars.lock."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
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


def locked_jars() -> tuple[Jar, ...]:
    """Rows of infra/kafka/jars.lock."""
    lines = data_path("kafka", "jars.lock").read_text(encoding="utf-8").splitlines()
    return tuple(_jar(line) for line in lines if line and not line.startswith("#"))


def _jar(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def class_path() -> str:
    """Class path of the broker. Its jars may still be missing."""
    return f"{_folder()}/*"


def jars_are_cached() -> bool:
    """Return whether all jars are in the cache."""
    return _folder().exists()


def download_jars() -> None:
    """Download the jars that are not in the cache. Of several concurrent calls, one downloads. Raises TrialError."""
    folder = _folder()
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _fill(folder, locked_jars())


@cache
def _folder() -> Path:
    """Folder of the locked jars in the user's cache. Its name is derived from their hashes."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256("".join(jar.sha256 for jar in locked_jars()).encode()).hexdigest()
    return Path(home) / "handoff" / f"kafka-{digest[:16]}"


def _fill(folder: Path, jars: tuple[Jar, ...]) -> None:
    """Download into a temporary folder and rename it once it is complete and checked."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda jar: _download(jar, partial), jars))
    shutil.rmtree(partial / "maven")
    partial.rename(folder)


def _download(jar: Jar, folder: Path) -> None:
    from jgo.maven import MavenContext

    # Use a separate Maven repository: that of the user may have the rest of an interrupted download.
    component = MavenContext(repo_cache=folder / "maven").project(jar.group, jar.artifact)
    try:
        fetched = Path(component.at_version(jar.version).artifact().resolve())
    except (OSError, RuntimeError) as error:
        raise TrialError(f"Apache Kafka's {jar.artifact} {jar.version} could not be downloaded: {error}") from error
    if hashlib.sha256(fetched.read_bytes()).hexdigest() != jar.sha256:
        raise TrialError(f"Apache Kafka's {jar.artifact} {jar.version} does not have the hash in jars.lock.")
    fetched.rename(folder / fetched.name)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
