"""Takes the pictures of docs/console.md: `python tests/console/console_screenshots.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from console_support import TESTS, console, runner

sys.path.insert(0, str(TESTS / "browser"))

from browser_support import DESKTOP, PHONE, chromium
from screenshots import save
from test_console_in_chromium import desk


def main() -> None:
    """Write the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        runner(Path(folder) / "reports", "20261122T100000Z-payments-slow-00aa") as run,
        console("--blind", str(run.where), cwd=Path(folder)) as server,
        chromium() as browser,
        desk(browser, server, "coordinator", DESKTOP) as coordinator,
        desk(browser, server, "responder", PHONE) as responder,
    ):
        run.play("alert.delivered")
        responder.page.click("#alerts >> text=Acknowledge")
        coordinator.writes("Note", "checkout on-call joined; the dashboard shows it too")
        coordinator.writes("Decision", "we go on to the end of the fault")
        responder.writes("Note", "retries of the card gateway pile up")
        run.play("runbook.asked")
        coordinator.sees("call-the-owner")
        responder.page.wait_for_selector("#step-card:not([hidden])")
        for page in (coordinator.page, responder.page):
            page.wait_for_selector("#toast", state="hidden")
        coordinator.page.wait_for_timeout(300)
        save(browser, "console", coordinator.page.screenshot())
        save(browser, "console-phone", responder.page.screenshot())
        coordinator.page.evaluate("() => document.getElementById('figure-told').scrollIntoView()")
        coordinator.page.wait_for_selector("html[data-figure=drawn]", state="attached")
        coordinator.page.click("#stop")
        save(browser, "console-stop", coordinator.page.screenshot())


if __name__ == "__main__":
    main()
