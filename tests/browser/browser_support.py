"""Reports in a real Chromium: runs with pages to open, the browser, and axe to look at them.

Nothing of it may reach a network: a page that asks for anything but itself is a failure.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, sync_playwright

TESTS = Path(__file__).parents[1]
for _folder in (TESTS / "checks", TESTS / "unit" / "report"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from checks_support import plan  # noqa: E402
from test_reports_golden import RUNS, report_of  # noqa: E402

from gameday.app.pages import write_index  # noqa: E402
from gameday.model.event import Timeline  # noqa: E402
from gameday.model.plan import Plan  # noqa: E402
from gameday.model.report import Report  # noqa: E402
from gameday.report import pages, write_all  # noqa: E402
from gameday.report.compared_figure import figure_of_two  # noqa: E402
from gameday.report.compared_page import render_page  # noqa: E402
from gameday.report.compared_runs import Side, compare_runs  # noqa: E402
from gameday.report.drawing import Drawing, drawn  # noqa: E402

DESKTOP, PHONE = (1280, 800), (390, 844)
#: Each run with the name of its directory: the page of all runs takes the time from there.
DIRECTORIES = {
    name: f"20261122T1{number}0000Z-payments-slow-{number:04x}" for number, name in enumerate(RUNS)
}
#: On the page of all runs, one is of another scenario, so that there is something to filter.
OTHER = "stopped"
AXE_VERSION = "4.14.1"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


class MissingError(Exception):
    """Something of this machine that the tests need is not there; says what."""


def missing(error: MissingError) -> None:
    """A loud skip; a failure where real parts are required."""
    message = f"{error}: the pages were NOT opened in a browser"
    if os.environ.get("GAMEDAY_REQUIRE_REAL") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # of the module, not of the session: its event loop must not outlive these tests
    try:
        with chromium() as found:
            yield found
    except MissingError as error:
        missing(error)


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        return axe_script()
    except MissingError as error:
        missing(error)
        raise


def write_runs(reports: Path) -> dict[str, Path]:
    """A directory of runs with their pages, and the page of all of them, each under its name."""
    found = {}
    for number, name in enumerate(RUNS):
        timeline = RUNS[name]()
        report = replace(report_of(timeline), started=f"2026-11-22T1{number}:00:00Z")
        if name == OTHER:
            scenario = replace(report.scenario, id="payments-down", title="Payments are gone")
            report = replace(report, scenario=scenario)
        found[name] = write_run(reports / DIRECTORIES[name], plan(), timeline, report)
    found["index"] = write_index(reports)
    return found


def write_run(where: Path, made: Plan, timeline: Timeline, report: Report) -> Path:
    """One run with everything that is written of it; its page."""
    where.mkdir(parents=True)
    (where / "journal.jsonl").touch()
    write_all(where, report)
    with pytest.MonkeyPatch.context() as patches:
        patches.delenv(pages.SWITCH, raising=False)
        pages.write_pages(where, made, timeline, report, draw=_drawing)
    return where / pages.PAGE


def _drawing(spec: object) -> Drawing:
    """The script with which the browser draws *spec*; the pictures beside the page are not made."""
    del spec
    return Drawing(svg="<svg/>", png=b"", script=_script())


@cache
def _script() -> str:
    return drawn_of_two().script


@cache
def sides() -> tuple[Side, Side]:
    """A run that passed and a later one that failed."""
    made = []
    for name in ("passed", "failed"):
        timeline = RUNS[name]()
        run = replace(report_of(timeline), run_id=DIRECTORIES[name])
        made.append(Side(plan=plan(), timeline=timeline, report=run))
    return made[0], made[1]


@cache
def drawn_of_two() -> Drawing:
    """The figure of both, really drawn; its script is that of every figure."""
    figure = figure_of_two(*sides())
    assert figure is not None
    return drawn(figure.spec)


def write_compared(where: Path) -> Path:
    """The page of both over each other."""
    found = compare_runs(*sides())
    where.write_text(render_page(found, *sides(), draw=lambda _: drawn_of_two()), "utf-8")
    return where


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine. Raises `MissingError` without it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise MissingError("chromium is not on PATH")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


def axe_script() -> str:
    """axe-core from npm, of one version, kept in the cache of this machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday-ci"
    kept = cache / f"axe-{AXE_VERSION}.min.js"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _installed(Path(folder)).replace(kept)
    script = kept.read_bytes()
    found = hashlib.sha256(script).hexdigest()
    if found != AXE_SHA256:
        raise MissingError(f"`{kept}` is not axe-core {AXE_VERSION}: its SHA-256 is {found}")
    return script.decode()


def _installed(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not on PATH, and axe-core is not in the cache")
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit"]
    command += ["--no-fund", "--no-save", f"axe-core@{AXE_VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise MissingError("npm did not answer within 120 s") from None
    if done.returncode:
        raise MissingError(f"npm could not install axe-core: {done.stderr.strip()[-300:]}")
    return folder / "node_modules" / "axe-core" / "axe.min.js"


@dataclass(slots=True)
class Opened:
    """A page in the browser, and everything that it said or asked for."""

    page: Page
    url: str
    told: list[str]
    asked: list[str]
    run: str = ""

    def text(self, of: str) -> str:
        return " ".join(self.page.inner_text(of).split())

    def rows(self, table: str) -> list[dict[str, str]]:
        """The rows of *table* that can be seen, each with its text and its `data-` values."""
        found: list[dict[str, str]] = self.page.eval_on_selector_all(
            f"#{table} tbody tr",
            "rows => rows.filter(r => r.checkVisibility())"
            ".map(r => ({...r.dataset, text: r.innerText.toLowerCase()}))",
        )
        return found

    def too_wide(self) -> int:
        """By how many pixels the page has to be scrolled sideways."""
        wide: int = self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide

    def colour(self, of: str, which: str = "color") -> str:
        found: str = self.page.eval_on_selector(of, f"e => getComputedStyle(e)['{which}']")
        return found

    def property(self, name: str) -> str:
        """A colour of the style sheet, as the browser computes it."""
        found: str = self.page.evaluate(
            "name => { const e = document.body.appendChild(document.createElement('i'));"
            "e.style.color = `var(${name})`; const c = getComputedStyle(e).color; e.remove();"
            "return c; }",
            name,
        )
        return found

    def box(self, of: str) -> tuple[float, float]:
        """Where an element begins, from the top of the window, and how high it is."""
        found = self.page.locator(of).bounding_box()
        assert found is not None, f"{of} cannot be seen"
        return found["y"], found["height"]

    def picture(self) -> str:
        """The figure as the browser has drawn it."""
        found: str = self.page.eval_on_selector("#figure-view canvas", "c => c.toDataURL()")
        return found

    def redraws(self, act: Callable[[], None]) -> str:
        """Do *act* and wait until the figure looks different; the new one."""
        before = self.picture()
        act()
        self.page.wait_for_function(
            "before => document.querySelector('#figure-view canvas').toDataURL() !== before",
            arg=before,
            polling=50,
        )
        return self.picture()

    def violations(self, axe: str, *, only_colours: bool = False) -> list[str]:
        """What axe finds that is serious or critical, a line each.

        A theme changes nothing but colours: looked at in one, only they are asked for in the other.
        """
        self.page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
        if not self.page.evaluate("() => Boolean(globalThis.axe)"):
            self.page.evaluate(axe)
        which: dict[str, Any] = {"resultTypes": ["violations"]}
        if only_colours:
            which["runOnly"] = ["color-contrast", "link-in-text-block"]
        found = self.page.evaluate("which => axe.run(document, which)", which)
        assert found["passes"], "axe looked at nothing"
        return list(_violations(found["violations"]))

    def quiet(self) -> None:
        """Fail if the page said anything on the console, or asked for more than itself."""
        assert not self.told
        assert set(self.asked) == {self.url}


def _violations(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    for rule in found:
        if rule["impact"] in ("serious", "critical"):
            for node in rule["nodes"]:
                why = " ".join(node["failureSummary"].split())
                yield f"{rule['id']} ({rule['impact']}): {node['html'][:160]}: {why}"


@contextlib.contextmanager
def opened(
    browser: Browser,
    file: Path,
    size: tuple[int, int],
    *,
    dark: bool = False,
    scale: float = 1,
    scripts: bool = True,
) -> Iterator[Opened]:
    """*file* in a window of *size*, once its figure stands (if it has one)."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=scale,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        java_script_enabled=scripts,
    )
    try:
        page = context.new_page()
        one = Opened(page=page, url=file.resolve().as_uri(), told=[], asked=[])
        _listen(one)
        page.goto(one.url)
        if scripts and page.locator("#figure-view").count():
            page.wait_for_selector("html[data-figure=drawn]", state="attached")
        yield one
    finally:
        context.close()


def _listen(one: Opened) -> None:
    def say(message: ConsoleMessage) -> None:
        one.told.append(f"{message.type}: {message.text}")

    def ask(request: Request) -> None:
        one.asked.append(request.url)

    def only_files(route: Route) -> None:
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            route.abort()

    one.page.on("console", say)
    one.page.on("pageerror", lambda error: one.told.append(f"error: {error}"))
    one.page.on("request", ask)
    one.page.on("websocket", lambda socket: one.asked.append(socket.url))
    one.page.context.route("**/*", only_files)
