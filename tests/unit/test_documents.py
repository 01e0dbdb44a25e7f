"""Documents name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "services/*/README.md", "history_checker/*.md", "infra/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
NAMED = re.compile(r"`((?:handoff|services|tests|docs|infra|bench|schemas|history_checker)/[\w./-]*(?:/|\.\w+))`")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_named_in_a_document_exists(document: str) -> None:
    """A path in backticks is relative to the root of the repository."""
    named = NAMED.findall((ROOT / document).read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []
