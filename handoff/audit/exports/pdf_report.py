"""The timeline as a printed page: PDF, in any of the languages."""

import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from handoff.audit.pages.case_view import Replay
from handoff.audit.pages.entry_list import Item, days
from handoff.audit.pages.formatting import flat
from handoff.audit.pages.integrity_status import strip
from handoff.audit.pages.rendering import clock_words

_FONT = "Noto"
_FORM: Mapping[str, Any] = MappingProxyType(
    {"line_height": 4.2, "borders_layout": "HORIZONTAL_LINES", "text_align": "LEFT", "v_align": "TOP", "padding": 0.8}
)
_WIDTHS = (14, 24, 38, 64, 130)


def as_pdf(replay: Replay) -> bytes:
    """The list of a case as it stands at a moment, with what is known of its integrity. It takes a while."""
    with TemporaryDirectory() as fonts:
        sheet = _sheet(replay, Path(fonts))
        _title(replay, sheet)
        for day in days(replay.said, replay.then, replay.chosen):
            sheet.ln(3)
            sheet.set_font(_FONT, "B", 10)
            _line(sheet, day.day)
            sheet.set_font(_FONT, "", 8)
            _table(replay, sheet, [item for lines in day.lines for item in lines.items])
        return bytes(sheet.output())


def _sheet(replay: Replay, fonts: Path) -> Any:
    from fpdf import FPDF

    said = replay.said

    class Sheet(FPDF):  # type: ignore[misc] # the library has no types
        """A landscape page that numbers itself."""

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FONT, "", 7)
            self.cell(0, 5, said("Page {number} of {all}", number=self.page_no(), all="{nb}"), align="R")

    sheet = Sheet(orientation="landscape")
    for style, name in (("", "notos"), ("B", "notosbo")):
        sheet.add_font(_FONT, style, _font_file(fonts, name))
    sheet.set_title(f"{said('Case')} {replay.told.case_id}")
    sheet.set_lang(said.tag)
    sheet.set_creator("Handoff")
    sheet.set_creation_date(replay.moment.at)
    sheet.add_page()
    return sheet


def _font_file(directory: Path, name: str) -> Path:
    """The font as a file, which is the only form that the library takes."""
    import pymupdf_fonts

    # It says of each table of the font that it leaves out that it leaves it out.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    path = directory / f"{name}.ttf"
    path.write_bytes(pymupdf_fonts.myfont(name))
    return path


def _title(replay: Replay, sheet: Any) -> None:
    said, at = replay.said, replay.moment.at
    sheet.set_font(_FONT, "B", 15)
    _line(sheet, f"{said('Case')} {replay.told.case_id}", 9)
    sheet.set_font(_FONT, "", 9)
    _line(sheet, f"{said('The case as it was')}: {clock_words(at)}")
    for seal in strip(said, replay.told, at):
        sheet.multi_cell(0, 5, f"{seal.title}: {seal.says}", new_x="LMARGIN", new_y="NEXT")


def _line(sheet: Any, text: str, height: float = 5) -> None:
    sheet.cell(0, height, text, new_x="LMARGIN", new_y="NEXT")


def _table(replay: Replay, sheet: Any, items: list[Item]) -> None:
    said = replay.said
    names = (said("Entry"), said("Recorded"), said("Who"), said("What"), said("With"))
    sheet.set_draw_color(190)
    with sheet.table(col_widths=_WIDTHS, **_FORM) as table:
        table.row(names)
        for item in items:
            what = f"{item.what}\n{item.why}" if item.why else item.what
            table.row((str(item.position), item.clock, item.who, what, _with(item)))


def _with(item: Item) -> str:
    parts = [f"{item.service} {item.referral[:8]}"] if item.referral else []
    parts += [f"{name}: {flat(value)}" for name, value in item.details]
    return "; ".join(parts)
