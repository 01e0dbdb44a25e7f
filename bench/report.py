"""Results of a run: tables of figures with their spread, and the machine on which they were measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.race import Spread

_BEGIN, _END = "<!-- figures: make bench -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Aim:
    """A target for a figure, at least or at most."""

    value: float
    at_most: bool = False

    def is_met(self, found: float) -> bool:
        """Return whether ``found`` meets the target."""
        return found <= self.value if self.at_most else found >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {figure(self.value)}"


@dataclass(frozen=True)
class Measurement:
    """One figure: its name, its median and spread, its unit, and its target."""

    name: str
    spread: Spread
    unit: str
    aim: Aim | None = None

    @property
    def verdict(self) -> str:
        """``met`` or ``missed``, or nothing without a target."""
        if self.aim is None:
            return ""
        return "met" if self.aim.is_met(self.spread.median) else "missed"


@dataclass(frozen=True)
class Chapter:
    """The findings of one benchmark, and remarks for their reader."""

    name: str
    title: str
    findings: Sequence[Measurement]
    remarks: Sequence[str] = field(default_factory=tuple)


def markdown(machine: Iterable[tuple[str, str]], chapters: Iterable[Chapter]) -> str:
    """The results of a run as Markdown."""
    lines = ["| on | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine), ""]
    for chapter in chapters:
        lines += [f"### {chapter.title}", "", *_table(chapter.findings), ""]
        lines += [f"- {remark}" for remark in chapter.remarks]
        lines += [""] if chapter.remarks else []
    return "\n".join(lines)


def put_figures(document: Path, figures: str) -> None:
    """Replace the text between the two marks of ``document`` by ``figures``."""
    before, _, rest = document.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    document.write_text(f"{before}{_BEGIN}\n\n{figures}\n{_END}{after}")


def figure(value: float) -> str:
    """A number with three significant digits, or without decimals from 100 on."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _table(findings: Sequence[Measurement]) -> list[str]:
    head = ["| | median | spread | aim | |", "|---|--:|--:|--:|---|"]
    return head + [_row(finding) for finding in findings]


def _row(finding: Measurement) -> str:
    spread = finding.spread
    between = "" if spread.least == spread.greatest else f"{figure(spread.least)} to {figure(spread.greatest)}"
    aim = "" if finding.aim is None else str(finding.aim)
    return f"| {finding.name} | {figure(spread.median)} {finding.unit} | {between} | {aim} | {finding.verdict} |"
