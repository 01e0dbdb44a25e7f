"""Modules name only statements that their .sql file has."""

import re
from pathlib import Path

import pytest

from handoff.adapters.postgres.named_statements import statements

_HANDOFF = Path(__file__).parents[3] / "handoff"
_LOADS = re.compile(r'statements\("(\w+\.sql)"(, __package__)?\)')
_MODULES = [path for path in sorted(_HANDOFF.rglob("*.py")) if _LOADS.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("module", _MODULES, ids=lambda path: path.stem)
def test_every_statement_that_a_module_names_exists(module: Path) -> None:
    """Otherwise the name is found missing only when an operator runs the command."""
    text = module.read_text(encoding="utf-8")
    load = _LOADS.search(text)
    assert load is not None
    package = ".".join(("handoff", *module.parent.relative_to(_HANDOFF).parts))
    known = statements(load[1], package) if load[2] else statements(load[1])
    assert set(re.findall(r'SQL\["(\w+)"\]', text)) <= set(known)
