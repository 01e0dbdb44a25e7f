"""Every text file and every output of a program is read and written as UTF-8, whatever the locale of the machine is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PRODUCT = ("handoff", "services", "history_checker")


def _calls_without_an_encoding(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _is_text(node) and not any(k.arg == "encoding" for k in node.keywords):
            yield f"line {node.lineno}: {ast.unparse(node)[:80]}"


def _is_text(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="read_text"):
            return not call.args
        case ast.Attribute(attr="write_text"):
            return True
        case ast.Name(id="open"):
            return "b" not in _mode(call.args[1:])
        case ast.Attribute(attr="open", value=ast.Name(id="os" | "socket" | "tarfile")):
            return False
        case ast.Attribute(attr="open"):
            mode = _mode(call.args)
            return mode != "" and "b" not in mode
        case _:
            return any(k.arg == "text" and ast.unparse(k.value) == "True" for k in call.keywords)


def _mode(arguments: list[ast.expr]) -> str:
    found = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
    return found if isinstance(found, str) else ""


@pytest.mark.parametrize(
    "source", ["path.read_text()", "path.write_text('x')", "path.open('w')", "run(argv, text=True)", "open(p, 'a')"]
)
def test_a_call_in_the_encoding_of_the_machine_is_found(source: str) -> None:
    assert list(_calls_without_an_encoding(source))


def test_no_text_depends_on_the_locale() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {call}"
        for package in _PRODUCT
        for path in sorted((ROOT / package).rglob("*.py"))
        for call in _calls_without_an_encoding(path.read_text(encoding="utf-8"))
    ]
    assert found == []
