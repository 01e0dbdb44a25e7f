"""Kafka Connect and Debezium's JDBC sink, downloaded once into the user's cache by jgo."""

import os
import shutil
import tarfile
from pathlib import Path

from handoff.trial.jars import BROKER

CONNECT = "org.apache.kafka:connect-runtime:4.3.1"
SINK_GROUP, SINK, SINK_VERSION = "io.debezium", "debezium-connector-jdbc", "3.6.0.Final"


def class_path() -> str:
    """The class path of the Connect worker."""
    import jgo

    # jgo classifies some jars as modules; a plain class path needs both folders.
    environment = jgo.build(CONNECT, cache_dir=_cache() / "connect")
    folders = (environment.path / "jars", environment.path / "modules")
    # The broker's jars contain the logging library that Connect lacks.
    return ":".join((BROKER.class_path, *(f"{folder}/*" for folder in folders if folder.exists())))


def plugin_path() -> Path:
    """The folder of the sink's plugin, which includes PostgreSQL's driver."""
    from jgo.maven import MavenContext

    folder = _cache() / f"{SINK}-{SINK_VERSION}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        component = MavenContext(repo_cache=_cache() / "maven").project(SINK_GROUP, SINK).at_version(SINK_VERSION)
        with tarfile.open(component.artifact(classifier="plugin", packaging="tar.gz").resolve()) as packed:
            packed.extractall(partial, filter="data")
        partial.rename(folder)
    return folder


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "handoff" / "bench"
