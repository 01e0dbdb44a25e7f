"""The list of open attacks in docs/security.md, from the tests that are expected to fail.

``python -m tests.support.probes.open_attacks --check`` fails if the list differs; ``--write`` updates it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "security.md"
_LIST = re.compile(r"(?<=<!-- open attacks -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL)
_ISSUE = re.compile(r"^issue \d+: ")

TestFunction = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(path: Path) -> dict[str, TestFunction]:
    """Return the test functions of a file by name."""
    functions = (node for node in _tree(path).body if isinstance(node, TestFunction))
    return {function.name: function for function in functions if function.name.startswith("test_")}


def reason_of_failure(path: Path, test: TestFunction) -> str | None:
    """Return why a test is expected to fail; None if it is not."""
    constants = {
        target.id: node.value
        for node in _tree(path).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for decorator in test.decorator_list:
        marked = ast.unparse(decorator)
        if "xfail" not in marked:
            continue
        keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
        reason = next((word.value for word in keywords if word.arg == "reason"), ast.Constant(""))
        if isinstance(reason, ast.Name):
            reason = constants[reason.id]
        return str(ast.literal_eval(reason))
    return None


def open_attacks() -> Iterator[str]:
    """Yield a line for each test of an attack that still succeeds."""
    for path in sorted((ROOT / "tests" / "attacks").glob("test_*.py")):
        for name, test in functions_of(path).items():
            reason = reason_of_failure(path, test)
            if reason is not None:
                yield f"- {_ISSUE.sub('', reason)}: `{path.relative_to(ROOT).as_posix()}::{name}`"


def current() -> str:
    """Return the page with the list as the tests have it."""
    lines = "\n".join(open_attacks()) or "None."
    return _LIST.sub(lambda _: f"{lines}\n", PAGE.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 if the page differs."""
    if arguments == ["--write"]:
        PAGE.write_text(current(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != current():
        sys.stderr.write("docs/security.md: the open attacks differ from the tests; run: make generate\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
