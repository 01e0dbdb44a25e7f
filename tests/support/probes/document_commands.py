"""The `handoff` commands that a document shows, in a block or in a sentence."""

import re
import shlex
from pathlib import Path
from typing import Any

import typer.main

from handoff.cli.app import app

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = r"`(?:\S*/)?((?:{}) [^`]+)`"
_LINE = r"(?:^|-- |bin/)((?:{}) .*)$"


def commands_of(text: str, programs: tuple[str, ...] = ("handoff",)) -> list[str]:
    """Return the commands of these programs in order, without the comments that follow them."""
    inline, line_of = (re.compile(form.format("|".join(programs))) for form in (_INLINE, _LINE))
    found: list[tuple[int, str]] = []
    for block in _BLOCK.finditer(text):
        start = block.start(1)
        for line in block[1].splitlines(keepends=True):
            command = line_of.search(line.split("  #")[0].strip())
            if command is not None:
                found.append((start, command[1]))
            start += len(line)
    outside = _BLOCK.sub(lambda block: " " * len(block[0]), text)
    found += [(found_inline.start(), found_inline[1]) for found_inline in inline.finditer(outside)]
    return [command for _, command in sorted(found)]


def fault_of(command: str) -> str | None:
    """Return why the command line does not have this command, option or argument; None if it has."""
    found: Any = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        step = found.commands.get(words[0])
        if step is None:
            return f"no command {words[0]}"
        found, words = step, words[1:]
    return _fault_of_words(found, words)


def _fault_of_words(command: Any, words: list[str]) -> str | None:
    options = {
        name: p for p in command.params if p.param_type_name == "option" for name in (*p.opts, *p.secondary_opts)
    }
    places = [p.nargs for p in command.params if p.param_type_name == "argument"]
    given = 0
    while words:
        word, *words = words
        word = word.strip("[]")
        if word in {"--help", "…", "..."}:
            continue
        if not word.startswith("-"):
            given += 1
        elif word not in options:
            return f"no option {word}"
        elif not options[word].is_flag:
            if not words:
                return f"{word} has no value"
            words = words[1:]
    return None if -1 in places or given <= sum(places) else f"{given} arguments for {len(places)}"
