"""Statements by name, from a .sql file beside the module that uses them."""

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)[^\n]*\n", re.MULTILINE)


def statements(file: str, package: str = "handoff.adapters.postgres") -> Mapping[str, str]:
    """Return name → statement for each section of ``file`` that begins with ``-- name: NAME``.

    ``package`` is the package of the calling module, which the file is beside.
    """
    text = (files(package) / file).read_text(encoding="utf-8")
    _, *sections = _NAME.split(text)
    return dict(zip(sections[::2], (body.strip() for body in sections[1::2]), strict=True))
