"""A class name means one thing."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ("handoff/record", "handoff/domain")


def class_names(*directories: str) -> Iterator[str]:
    for directory in directories:
        for path in (ROOT / directory).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_no_class_name_exists_twice_in_the_product() -> None:
    counted = Counter(class_names("handoff", "services"))
    assert [name for name, count in counted.items() if count > 1] == []


def test_the_history_checker_shares_class_names_with_the_domain_alone() -> None:
    """Its types are written independently and mean the same as those of the domain."""
    shared = set(class_names("history_checker")) & set(class_names("handoff", "services"))
    assert shared <= set(class_names(*CORE))
