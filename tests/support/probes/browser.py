"""A real browser for tests of pages: Debian's Chromium, as people would use it, and what it complained about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A page that tells of a problem has that problem's status; a request that a newer one replaces is given up.
_NO_ERRORS = ("Failed to load resource", "htmx:afterRequest", "htmx:sendAbort")
PATIENCE_MS = 20_000


class NoBrowser(Exception):
    """There is no Chromium on this machine: install Debian's package `chromium`."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window. Raises ``NoBrowser``, which names the package."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise NoBrowser("no `chromium` on this machine: install Debian's package chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Complaints:
    """What the browser said against the pages: errors of scripts, refused contents, broken requests."""

    said: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Hears ``page`` from here on."""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_NO_ERRORS):
            self.said.append(message.text)


def barriers(page: Page, *rules: str) -> list[str]:
    """What keeps people out, by WCAG 2.2 AA; with ``rules`` by those alone."""
    chosen: dict[str, Any] = (
        {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": _WCAG_2_2_AA}
    )
    found = Axe().run(page, options={"runOnly": chosen, "resultTypes": ["violations"]})
    return [
        f"{violation['id']}: {node['html'][:200]} ({node.get('failureSummary', '')[:200]})"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
