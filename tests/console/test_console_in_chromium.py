"""A day with three browsers, as people would: on a desk, on a phone, in the dark."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest
from console_support import ALERT, FAULT, RUN_ID, TESTS, Runner, Server, console, runner

if str(TESTS / "browser") not in sys.path:
    sys.path.insert(0, str(TESTS / "browser"))

from browser_support import DESKTOP, PHONE, Browser, Opened, axe, browser
from playwright.sync_api import Page

__all__ = ["axe", "browser"]
pytestmark = pytest.mark.real


@dataclass
class Desk:
    """One person's page."""

    page: Page
    said: list[str] = field(default_factory=list)

    def log(self) -> list[str]:
        texts: list[str] = self.page.eval_on_selector_all(
            "#log li p", "all => all.map(one => one.textContent)"
        )
        return texts

    def sees(self, text: str) -> None:
        self.page.wait_for_function(
            "text => document.getElementById('log').textContent.includes(text)", arg=text
        )

    def writes(self, kind: str, text: str) -> None:
        self.page.click(f"#say-kind >> text={kind}")
        self.page.fill("#say-text", text)
        self.page.click("#say .go")
        self.page.wait_for_function("() => document.getElementById('say-text').value === ''")

    def too_wide(self) -> int:
        return Opened(page=self.page, url="", told=[], asked=[]).too_wide()


@contextlib.contextmanager
def desk(
    browser: Browser, server: Server, role: str, size: tuple[int, int], *, dark: bool = False
) -> Iterator[Desk]:
    """A window that entered by the link of its role."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    try:
        context.set_default_timeout(120_000)  # a busy machine is slow, and that is no failure
        made = Desk(context.new_page())
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        made.page.on(
            "console",
            lambda m: made.said.append(m.text) if "Content Security" in m.text else None,
        )
        made.page.on("dialog", lambda dialog: dialog.accept("errors are too high"))
        made.page.goto(f"{server.origin}/#{server.links.pop(role)}")
        made.page.wait_for_selector("#room:not([hidden])")
        assert made.page.url == f"{server.origin}/"  # the token is gone from the address
        yield made
        assert made.said == []
    finally:
        context.close()


class Relay:
    """A port before the console's, so that a connection can be cut as a network does."""

    def __init__(self) -> None:
        self.to = 0
        self._open = True
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def cut(self) -> None:
        """End every connection, and take no other."""
        self._open = False
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def mend(self) -> None:
        """Take connections again."""
        self._open = True

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if not self._open:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to))
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def run(browser: Browser, tmp_path: Path) -> Iterator[Runner]:
    del browser  # nothing is begun where there is none
    with runner(tmp_path / "reports") as made:
        yield made


def test_a_blind_day_with_three_browsers(browser: Browser, run: Runner, tmp_path: Path) -> None:
    with (
        console("--blind", cwd=tmp_path) as server,
        desk(browser, server, "coordinator", DESKTOP) as coordinator,
        desk(browser, server, "responder", PHONE) as responder,
        desk(browser, server, "scribe", DESKTOP, dark=True) as scribe,
    ):
        run.play("runbook.asked")
        # alert and acknowledgement
        responder.page.click("#alerts >> text=Acknowledge")
        coordinator.sees(f"responder acknowledges: {ALERT}")
        coordinator.page.wait_for_selector("#alerts >> text=detected in")
        # the wrong role sees why not
        assert coordinator.page.is_disabled("#step-do >> text=Done")
        assert "does not respond" in coordinator.page.inner_text("#step-do")
        # notes, decisions, things to do, go or no-go
        scribe.writes("Note", "all on the call; the fault is in")
        scribe.writes("To do", "raise the timeout")
        coordinator.writes("Decision", "we go on")
        coordinator.page.click("#gates >> text=No-go")
        scribe.sees("no go at gate `strong`: errors are too high")
        coordinator.page.click("#gates >> text=/^Go$/")
        coordinator.page.wait_for_selector("#gates >> text=go, by coordinator")
        # the runbook
        responder.page.fill("#step-note", "reached at the second try")
        responder.page.click("#step-do >> text=Done")
        scribe.sees("call-the-owner")
        responder.page.wait_for_selector("#step-card", state="hidden")
        # what the responder does not see, in text or markup
        found = responder.page.content().lower()
        assert [w for w in (FAULT, RUN_ID.lower(), "payments", "on the call") if w in found] == []
        assert not responder.page.is_visible("text=Stop conditions")

        # the stop, within one click of wherever one is, asks once
        responder.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        responder.page.click("#stop")
        responder.page.fill("#stop-why", "customers see it")
        responder.page.click("text=Stop now")
        coordinator.sees("customers see it")
        assert run.journal()[-1]["kind"] == "stop.tripped"
        coordinator.page.wait_for_selector("#banner >> text=Stopped")

        # the runner is killed, a page is reloaded: nothing is lost
        before = coordinator.log()
        run.process.kill()
        run.process.wait(10)
        coordinator.page.wait_for_selector("#banner >> text=The runner is gone")
        coordinator.page.reload()
        coordinator.sees("the runner is gone")
        assert coordinator.log()[1:] == before
        responder.page.wait_for_selector("#banner >> text=cut short")
        scribe.writes("Note", "after the end")
        coordinator.sees("after the end")

        # the next scenario, on the same pages
        with runner(tmp_path / "reports", f"{RUN_ID}-b") as second:
            second.play("alert.firing")
            responder.page.wait_for_selector("#alerts >> text=Acknowledge")
            coordinator.page.wait_for_selector("#runs >> text=under way")
        assert [one.too_wide() for one in (coordinator, responder, scribe)] == [0, 0, 0]


def test_a_page_that_loses_its_connection_says_so_and_comes_back(
    browser: Browser, run: Runner, tmp_path: Path
) -> None:
    with Relay() as relay, console("--origin", relay.origin, cwd=tmp_path) as server:
        relay.to = server.port
        cut_off = replace(server, origin=relay.origin)
        with desk(browser, cut_off, "observer", DESKTOP) as one:
            run.play("alert.firing")
            one.sees(f"{ALERT} fires")
            relay.cut()
            one.page.wait_for_selector("#link-state[data-on=no]")
            before = one.log()
            run.play("runbook.asked")
            relay.mend()
            one.sees("call-the-owner")
            one.page.wait_for_selector("#link-state[data-on=yes]")
            after = one.log()
            assert after[-len(before) :] == before
            numbers = one.page.eval_on_selector_all("#log li", "all => all.map(e => e.dataset.n)")
            assert numbers == [str(n) for n in range(len(after), 0, -1)]


def test_the_figure_is_drawn_and_all_is_accessible_in_both_themes(
    browser: Browser, axe: str, run: Runner, tmp_path: Path
) -> None:
    with console(cwd=tmp_path) as server, desk(browser, server, "coordinator", DESKTOP) as one:
        run.play("runbook.asked")
        one.sees("call-the-owner")
        one.page.evaluate("() => document.getElementById('figure-told').scrollIntoView()")
        one.page.wait_for_selector("html[data-figure=drawn]", state="attached", timeout=240_000)
        assert one.page.locator("#figure canvas").count() == 1
        seen = Opened(page=one.page, url="", told=[], asked=[])
        assert seen.violations(axe) == []
        one.page.click("#theme")
        assert seen.violations(axe) == []
        one.page.click("#stop")
        assert seen.violations(axe) == []
