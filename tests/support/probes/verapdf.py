"""veraPDF, which judges PDF/UA-1."""

import subprocess
from pathlib import Path

from handoff.trial.jars import JarCollection
from handoff.trial.java import java

VERAPDF = JarCollection("verapdf", "veraPDF", Path(__file__).parents[1] / "linters" / "verapdf.lock")


def accessibility_faults(pdf: Path) -> str:
    """Report of veraPDF on ``pdf`` under PDF/UA-1; empty if it passes."""
    VERAPDF.download()
    arguments = (java(), "-cp", VERAPDF.class_path, "org.verapdf.apps.GreenfieldCliWrapper", "-f", "ua1")
    done = subprocess.run((*arguments, "--format", "text", "-v", str(pdf)), capture_output=True, text=True, check=False)
    return "" if done.stdout.startswith("PASS ") else done.stdout + done.stderr
