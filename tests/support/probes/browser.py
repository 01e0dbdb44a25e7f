"""Browser for tests of pages: Debian's Chromium, its errors, and its accessibility violations."""

import asyncio
import shutil
import threading
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
# Problem pages have an error status, and htmx aborts a request that a newer one replaces.
_EXPECTED = ("Failed to load resource", "htmx:afterRequest", "htmx:sendAbort")
PATIENCE_MS = 20_000


class NoBrowser(Exception):
    """No Chromium is installed: install Debian's package `chromium`."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium without a window. Raises ``NoBrowser``, which names the package."""
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
class BrowserErrors:
    """Errors of the browser's console and scripts: script errors, blocked content, failed requests."""

    messages: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Collect the errors of ``page`` from now on."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.messages.append(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_EXPECTED):
            self.messages.append(message.text)


def violations(page: Page, *rules: str) -> list[str]:
    """Return the violations of WCAG 2.2 AA, or of ``rules`` only."""
    chosen: dict[str, Any] = (
        {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": _WCAG_2_2_AA}
    )
    found = Axe().run(page, options={"runOnly": chosen, "resultTypes": ["violations"]})
    return [
        f"{violation['id']}: {node['html'][:200]} ({node.get('failureSummary', '')[:200]})"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


def elsewhere(work: Any) -> Any:
    """Run ``work`` on an event loop of another thread: the browser's loop occupies this one."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(work)))
    thread.start()
    thread.join()
    return found[0]
