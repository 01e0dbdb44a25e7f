"""Plain technical English in docstrings, comments, raised messages and log events."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = ("handoff", "services", "history_checker", "bench", "infra", "tests")

RELATIVE = re.compile(
    r"(What|Who|Whom|Whose|Whoever|Whatever|Whether|Which|Where|How|Why"
    r"|That (an?|the|no|each|every|it|its|all|one|two))\b"
)
REFUSED = re.compile(
    r"\b(whoever|whom(ever)?|nobody|somebody|anybody|said|told|says|heard|hears|stands(?! for)|lies|anew"
    r"|for ever|meanwhile|amid|in vain|at once|la(ys?|id) down|go(es)? on|(?<!there )(?-i:is none))\b",
    re.IGNORECASE,
)
EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)+")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

# Phrases about people, in which a refused word is the right one; each with its reason.
ALLOWED: dict[str, str] = {}


class Text(NamedTuple):
    line: int
    kind: str  # docstring, comment, message (raised, or shown as help or API description), event
    text: str


class Violation(NamedTuple):
    line: int
    rule: str
    text: str


def texts(source: str) -> Iterator[Text]:
    """The docstrings, comment blocks, messages and log events of a module."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield Text(node.lineno, "docstring", text.strip())
            case ast.Raise() | ast.keyword(arg="help" | "description" | "summary" | "detail"):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield Text(part.lineno, "message", part.value.strip())
            case ast.Call(func=ast.Attribute(attr=level, value=log), args=[ast.Constant(value=str(text)), *_]):
                if level in LEVELS and re.search(r"\b_?log(ger)?$", ast.unparse(log)):
                    yield Text(node.lineno, "event", text)
    comments = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT]
    yield from blocks((t.start[0], t.start[1], t.string.lstrip("#!: ")) for t in comments)


def blocks(comments: Iterator[tuple[int, int, str]]) -> Iterator[Text]:
    """Comments of consecutive lines and the same column, joined."""
    first, last, column, lines = 0, 0, -1, list[str]()
    for line, start, text in comments:
        if lines and (line, start) != (last + 1, column):
            yield Text(first, "comment", " ".join(lines))
            lines = []
        first, last, column, lines = (first if lines else line), line, start, [*lines, text]
    if lines:
        yield Text(first, "comment", " ".join(lines))


def texts_of(path: Path) -> Iterator[Text]:
    """The texts of a Python module, or the comments of an SQL script."""
    source = path.read_text()
    if path.suffix == ".py":
        return texts(source)
    lines = ((number, line.find("--"), line) for number, line in enumerate(source.splitlines(), 1))
    return blocks(
        (number, column, re.sub(r"^-+ *(name: \w+)? *", "", line[column:]))
        for number, column, line in lines
        if column >= 0
    )


def names(source: str) -> Iterator[Text]:
    """The names that a module defines, as words: of functions, classes, parameters and variables."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield Text(node.lineno, "name", name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield Text(node.lineno, "name", name)


def is_relative(text: Text) -> bool:
    """Return whether a docstring or comment begins as a relative clause that is no question."""
    sentence = re.split(r"(?<=[.?!:])\s", text.text, maxsplit=1)[0]
    return text.kind in {"docstring", "comment"} and bool(RELATIVE.match(sentence)) and not sentence.endswith("?")


def violations(path: Path) -> Iterator[Violation]:
    """The sentences of a file that break a rule of plain technical English."""
    for text in texts_of(path):
        if is_relative(text):
            yield Violation(text.line, "bare relative clause", text.text)
        if text.kind == "event" and not EVENT.fullmatch(text.text):
            yield Violation(text.line, "log event is not component.event_in_past_tense", text.text)
        remaining = re.sub("|".join(map(re.escape, ALLOWED)) or r"(?!)", "", text.text)
        for word in REFUSED.finditer(remaining):
            yield Violation(text.line, f"refused word '{word[0]}'", text.text)


def files(top: Path) -> list[Path]:
    return sorted(path for suffix in ("py", "sql") for path in top.rglob(f"*.{suffix}"))


@pytest.mark.parametrize("top", CHECKED)
def test_the_code_is_written_in_plain_technical_english(top: str) -> None:
    assert files(ROOT / top), f"{top} holds no source; correct CHECKED"
    found = [(path.relative_to(ROOT), *violation) for path in files(ROOT / top) for violation in violations(path)]
    assert not found, "\n".join(f"{path}:{line}: {rule}: {text}" for path, line, rule, text in found)


@pytest.mark.parametrize("top", CHECKED)
def test_names_are_in_plain_technical_english(top: str) -> None:
    """The name of a test is the sentence that it proves, so it is no relative clause either."""
    found = [
        (path.relative_to(ROOT), name.line, name.text)
        for path in files(ROOT / top)
        if path.suffix == ".py"
        for name in names(path.read_text())
        if (words := name.text.removeprefix("test_").replace("_", " "))
        and (
            REFUSED.search(words) or (words != name.text and name.text[:5] == "test_" and RELATIVE.match(words.title()))
        )
    ]
    assert not found, "\n".join(f"{path}:{line}: {text}" for path, line, text in found)


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ('"""What a node keeps."""', "bare relative clause"),
        ("x = 1  # whoever comes first", "refused word 'whoever'"),
        ('raise ValueError(f"{x} waited in vain")', "refused word 'in vain'"),
        ('_log.info("routing begins again")', "log event is not component.event_in_past_tense"),
    ],
)
def test_a_poor_sentence_is_found(tmp_path: Path, source: str, rule: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    assert [violation.rule for violation in violations(path)] == [rule]
