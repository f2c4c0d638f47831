"""Takes the pictures of a day, for the docs: `python tests/browser/gameday_screenshots.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from browser_support import DESKTOP, PHONE, Browser, chromium
from gameday_stages import shop_stage
from gameday_support import Desk, People, play
from screenshots import save

#: Moment of the story -> the picture, whose page it is, and where it is scrolled to.
PICTURES = {
    "go": ("console-day", "scribe", ""),
    "step": ("console-day-phone", "responder", "#step-card"),
    "stop": ("console-day-stop", "responder", ""),
    "gone": ("console-gone", "scribe", ""),
    "over": ("console-day-over", "commander", ""),
}


def main() -> None:
    """Hold the day on the shop, and take every picture on the way."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:

        def snap(people: People, moment: str) -> None:
            name, who, place = PICTURES[moment]
            one: Desk = getattr(people, who)
            size = PHONE if who == "responder" else DESKTOP
            one.page.set_viewport_size({"width": size[0], "height": size[1]})
            one.page.wait_for_selector("#toast", state="hidden")
            if place:
                one.page.evaluate("at => document.querySelector(at).scrollIntoView()", place)
                one.page.evaluate("() => scrollBy(0, -110)")
            elif moment == "over":
                one.page.wait_for_selector(
                    "html[data-figure=drawn]", state="attached", timeout=300_000
                )
            elif moment != "stop":
                one.page.evaluate("() => scrollTo(0, 0)")
            take(browser, name, one)

        with shop_stage(Path(folder)) as shop:
            play(shop, browser, snap)


def take(browser: Browser, name: str, one: Desk) -> None:
    """One picture; a folder as the argument keeps them whole there instead, to be looked at."""
    png = one.page.screenshot()
    if len(sys.argv) > 1:
        (Path(sys.argv[1]) / f"{name}.png").write_bytes(png)
    else:
        save(browser, name, png)


if __name__ == "__main__":
    main()
