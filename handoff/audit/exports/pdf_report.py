"""The list of a case as a printable document: PDF, in any of the languages."""

import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from handoff.audit.pages.entry_list import ListItem, entries_by_day
from handoff.audit.pages.formatting import flat
from handoff.audit.pages.integrity_status import integrity_status
from handoff.audit.pages.replay_view import ReplayView

_FONT = "Noto"
_FORM: Mapping[str, Any] = MappingProxyType(
    {"line_height": 4.2, "borders_layout": "HORIZONTAL_LINES", "text_align": "LEFT", "v_align": "TOP", "padding": 0.8}
)
_WIDTHS = (14, 24, 38, 64, 130)


def as_pdf(view: ReplayView) -> bytes:
    """Return the list of a view with its integrity status. Slow (about 0.3 s): call it on a thread."""
    with TemporaryDirectory() as fonts:
        sheet = _sheet(view, Path(fonts))
        _title(view, sheet)
        for day in entries_by_day(view):
            sheet.ln(3)
            sheet.set_font(_FONT, "B", 10)
            _line(sheet, day.day)
            sheet.set_font(_FONT, "", 8)
            _table(view, sheet, [item for group in day.groups for item in group.items])
        return bytes(sheet.output())


def _sheet(view: ReplayView, fonts: Path) -> Any:
    from fpdf import FPDF

    tr = view.tr

    class Sheet(FPDF):  # type: ignore[misc] # the library has no types
        """A landscape page with its number in the footer."""

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FONT, "", 7)
            self.cell(0, 5, tr("Page {number} of {all}", number=self.page_no(), all="{nb}"), align="R")

    sheet = Sheet(orientation="landscape")
    for style, name in (("", "notos"), ("B", "notosbo")):
        sheet.add_font(_FONT, style, _font_file(fonts, name))
    sheet.set_title(f"{tr('Case')} {view.history.case_id}")
    sheet.set_lang(tr.language)
    sheet.set_creator("Handoff")
    sheet.set_creation_date(view.position.at)
    sheet.add_page()
    return sheet


def _font_file(directory: Path, name: str) -> Path:
    """Write the font to a file, the only form that the library reads."""
    import pymupdf_fonts

    # The library logs a warning for each font table that it drops.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    path = directory / f"{name}.ttf"
    path.write_bytes(pymupdf_fonts.myfont(name))
    return path


def _title(view: ReplayView, sheet: Any) -> None:
    tr, at = view.tr, view.position.at
    sheet.set_font(_FONT, "B", 15)
    _line(sheet, f"{tr('Case')} {view.history.case_id}", 9)
    sheet.set_font(_FONT, "", 9)
    _line(sheet, f"{tr('State of the case at')}: {tr.time(at)}")
    for status in integrity_status(tr, view.history, at):
        sheet.multi_cell(0, 5, f"{status.title}: {status.text}", new_x="LMARGIN", new_y="NEXT")


def _line(sheet: Any, text: str, height: float = 5) -> None:
    sheet.cell(0, height, text, new_x="LMARGIN", new_y="NEXT")


def _table(view: ReplayView, sheet: Any, items: list[ListItem]) -> None:
    tr = view.tr
    names = (tr("Entry"), tr("Recorded"), tr("Institution"), tr("Event"), tr("Details"))
    sheet.set_draw_color(190)
    with sheet.table(col_widths=_WIDTHS, **_FORM) as table:
        table.row(names)
        for item in items:
            what = f"{item.what}\n{item.reason}" if item.reason else item.what
            table.row((str(item.position), item.clock, item.who, what, _details(item)))


def _details(item: ListItem) -> str:
    parts = [f"{item.service} {item.referral[:8]}"] if item.referral else []
    parts += [f"{name}: {flat(value)}" for name, value in item.details]
    return "; ".join(parts)
