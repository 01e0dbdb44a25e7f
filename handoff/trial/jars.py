"""Apache Kafka's jars: the locked ones, fetched once by jgo and checked by their hash."""

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
    """The rows of infra/kafka/jars.lock."""
    lines = data_path("kafka", "jars.lock").read_text().splitlines()
    return tuple(_jar(line) for line in lines if line and not line.startswith("#"))


def _jar(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def class_path() -> str:
    """The class path of the broker, whether its jars are here yet or not."""
    return f"{_folder()}/*"


def jars_are_here() -> bool:
    """Whether nothing needs to be fetched."""
    return _folder().exists()


def fetch_jars() -> None:
    """Fetches what this machine does not have yet; of several at once, one fetches. Raises TrialError."""
    folder = _folder()
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _fill(folder, locked_jars())


@cache
def _folder() -> Path:
    """Where the locked jars lie: in the user's cache, named by what they are."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256("".join(jar.sha256 for jar in locked_jars()).encode()).hexdigest()
    return Path(home) / "handoff" / f"kafka-{digest[:16]}"


def _fill(folder: Path, jars: tuple[Jar, ...]) -> None:
    """Fetches into a folder beside the final one, which appears only when it is complete and checked."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda jar: _fetch(jar, partial), jars))
    shutil.rmtree(partial / "maven")
    partial.rename(folder)


def _fetch(jar: Jar, folder: Path) -> None:
    from jgo.maven import MavenContext

    # A Maven repository of its own: what an interrupted download left in the user's is not ours to trust.
    component = MavenContext(repo_cache=folder / "maven").project(jar.group, jar.artifact)
    try:
        fetched = Path(component.at_version(jar.version).artifact().resolve())
    except (OSError, RuntimeError) as error:
        raise TrialError(f"Apache Kafka's {jar.artifact} {jar.version} could not be fetched: {error}") from error
    if hashlib.sha256(fetched.read_bytes()).hexdigest() != jar.sha256:
        raise TrialError(f"Apache Kafka's {jar.artifact} {jar.version} is not the file that jars.lock names.")
    fetched.rename(folder / fetched.name)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
