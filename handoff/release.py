"""The release of this program, as `handoff --version`, health, metrics and logs show it."""

from importlib.metadata import version

RELEASE = version("handoff")
