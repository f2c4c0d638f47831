"""Reports in Chromium, on a desk and on a phone: every button, both themes, paper, and axe.

One browser for all of it, and one window for each run and size; each test leaves it as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_support import (
    DESKTOP,
    PHONE,
    Browser,
    Opened,
    opened,
    write_runs,
)

pytestmark = pytest.mark.real
SIZES = {"desktop": DESKTOP, "phone": PHONE}
#: Each run, and what its page has to say at the very top.
VERDICTS = {
    "passed": "PASS",
    "failed": "FAIL",
    "invalid": "INCONCLUSIVE (invalid)",
    "stopped": "INCONCLUSIVE (stopped)",
    "dirty": "NOT CLEAN, INCONCLUSIVE (stopped)",
    "incomplete": "NOT CLEAN, INCONCLUSIVE (incomplete)",
}
FOUR = ("#what-failed", "#since-when", "#what-noticed", "#what-next")
WHITE = "rgb(255, 255, 255)"


@pytest.fixture(scope="module")
def files(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    del browser  # nothing is written where there is none
    return write_runs(tmp_path_factory.mktemp("browser") / "reports")


@pytest.fixture(
    scope="module",
    params=[(run, size) for run in VERDICTS for size in SIZES],
    ids="-".join,
)
def window(
    request: pytest.FixtureRequest, browser: Browser, files: dict[str, Path]
) -> Iterator[Opened]:
    run, size = request.param
    with opened(browser, files[run], SIZES[size]) as one:
        one.run = run
        yield one


@pytest.fixture
def report(window: Opened) -> Iterator[Opened]:
    """One report in one window; it has to be quiet and in bounds after whatever was done to it."""
    yield window
    window.quiet()
    assert window.too_wide() <= 0


def test_a_report_opens_with_its_answer(report: Opened) -> None:
    assert report.text("#verdict").lstrip("✓✗!? ") == VERDICTS[report.run]
    assert report.picture().startswith("data:image/png")
    assert ("incomplete" in report.page.title()) == (report.run == "incomplete")
    top, height = report.box("#verdict")
    assert 0 <= top < top + height < report.page.viewport_size["height"] / 3  # type: ignore[index]


def test_good_news_are_green_and_bad_ones_are_not(report: Opened) -> None:
    dirty = report.run in ("dirty", "incomplete")

    assert ("NOT shown to be gone" in report.text("#safety-line")) == dirty
    green = report.property("--dirty" if dirty else "--pass")
    assert report.colour("#safety-line") == green


def test_the_buttons_zoom_and_move(report: Opened) -> None:
    assert report.text("#zoom-range") == ""
    whole = report.picture()

    half = report.redraws(lambda: report.page.click("#zoom-in"))
    first = report.text("#zoom-range")
    report.redraws(lambda: report.page.click("#zoom-right"))
    later = report.text("#zoom-range")
    report.redraws(lambda: report.page.click("#zoom-left"))
    back = report.text("#zoom-range")
    wider = report.redraws(lambda: report.page.click("#zoom-out"))

    assert re.fullmatch(r"\d:\d\d\.\d to \d:\d\d\.\d", first)
    assert later > first
    assert back == first
    assert len({whole, half}) == 2
    assert wider == whole
    report.redraws(lambda: report.page.click("#zoom-in"))
    assert report.redraws(lambda: report.page.click("#zoom-reset")) == whole
    assert report.text("#zoom-range") == ""


def test_the_keyboard_zooms_and_reads_off(report: Opened) -> None:
    keys = report.page.keyboard
    whole = report.picture()
    report.page.focus("#zoom-reset")
    keys.press("Tab")
    assert report.page.evaluate("() => document.activeElement.id") == "figure-view"

    report.redraws(lambda: keys.press("+"))
    near = report.text("#zoom-range")
    report.redraws(lambda: keys.press("+"))
    report.redraws(lambda: keys.press("-"))
    assert report.text("#zoom-range") == near
    assert report.redraws(lambda: keys.press("0")) == whole

    report.redraws(lambda: keys.press("ArrowRight"))
    start = report.text("#figure-readout")
    report.redraws(lambda: keys.press("ArrowRight"))
    assert start.startswith("0:00.0 · warmup")
    assert report.text("#figure-readout").startswith("0:01.0 · warmup · 100/s asked")


def test_the_timeline_is_filtered_by_words_and_by_what_it_is_of(report: Opened) -> None:
    every = report.rows("table-timeline")
    count = report.text("#timeline-count")

    report.page.fill("#timeline-filter", "Phase FAULT")
    words = report.rows("table-timeline")
    report.page.select_option("#timeline-source", "fault")
    both = report.rows("table-timeline")
    report.page.fill("#timeline-filter", "")
    faults = report.rows("table-timeline")
    told = report.text("#timeline-count")
    report.page.select_option("#timeline-source", "")

    assert count == f"{len(every)} of {len(every)}"
    assert [row["source"] for row in words] == ["run"]
    assert both == []
    assert 0 < len(faults) < len(every)
    assert {row["source"] for row in faults} == {"fault"}
    assert told == f"{len(faults)} of {len(every)}"
    assert report.rows("table-timeline") == every


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_in_both_themes(report: Opened, axe: str, theme: str) -> None:
    light = report.picture()
    if theme == "dark":
        report.redraws(lambda: report.page.click("#theme-switch"))
    found = report.violations(axe, only_colours=theme == "dark")
    pressed = report.page.get_attribute("#theme-switch", "aria-pressed")
    ground = report.colour("#answer", "backgroundColor")
    if theme == "dark":
        assert report.redraws(lambda: report.page.click("#theme-switch")) == light

    assert found == []
    assert pressed == str(theme == "dark").lower()
    assert (ground == WHITE) == (theme == "light")


def test_it_prints_on_white_paper_without_buttons(report: Opened) -> None:
    page = report.page
    report.redraws(lambda: page.click("#theme-switch"))
    dark = report.picture()
    pdf = page.pdf(format="A4")
    page.wait_for_function(
        "dark => document.querySelector('#figure-view canvas').toDataURL() === dark", arg=dark
    )
    size = page.viewport_size
    assert size is not None
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    try:
        ground = report.colour("body", "backgroundColor")
        seen = [e for e in page.locator("button, input, nav").all() if e.is_visible()]
        wide = report.too_wide()
        rows = report.rows("table-timeline")
    finally:
        page.emulate_media(media="screen")
        page.set_viewport_size(size)
        page.wait_for_function(
            "dark => document.querySelector('#figure-view canvas').toDataURL() === dark", arg=dark
        )
        report.redraws(lambda: page.click("#theme-switch"))

    assert pdf.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 20
    assert ground == WHITE
    assert seen == []
    assert wide <= 0
    assert rows


@pytest.mark.parametrize("size", SIZES)
def test_the_first_screen_of_a_failure_holds_all_four_answers(
    browser: Browser, files: dict[str, Path], size: str
) -> None:
    with opened(browser, files["failed"], SIZES[size]) as one:
        ends = {of: sum(one.box(of)) for of in ("#verdict", "#reason", *FOUR, "#safety-line")}

        assert all(one.text(of) for of in ends)
        assert max(ends.values()) <= SIZES[size][1], ends


def test_a_report_follows_the_theme_of_the_machine(
    browser: Browser, files: dict[str, Path]
) -> None:
    with opened(browser, files["failed"], DESKTOP, dark=True) as one:
        assert one.page.get_attribute("#theme-switch", "aria-pressed") == "true"
        assert one.colour("#answer", "backgroundColor") != WHITE
        one.redraws(lambda: one.page.emulate_media(color_scheme="light"))
        assert one.colour("#answer", "backgroundColor") == WHITE
        one.quiet()


@pytest.mark.parametrize("size", SIZES)
def test_the_page_of_all_runs_is_filtered_coloured_and_accessible(
    browser: Browser, files: dict[str, Path], axe: str, size: str
) -> None:
    with opened(browser, files["index"], SIZES[size]) as one:
        every = one.rows("table-runs")
        found = {"light": one.violations(axe)}
        one.page.click("#theme-switch")
        found["dark"] = one.violations(axe, only_colours=True)
        colours = {tone: one.colour(f"tr[data-tone={tone}] td") for tone in TONES}

        one.page.select_option("#runs-scenario", "payments-down")
        other = one.rows("table-runs")
        told = one.text("#runs-count")
        one.page.select_option("#runs-scenario", "")
        one.page.select_option("#runs-verdict", "fail")
        failed = one.rows("table-runs")

        assert found == {"light": [], "dark": []}
        assert len(every) == len(VERDICTS)
        assert len(set(colours.values())) == len(TONES)
        assert [row["scenario"] for row in other] == ["payments-down"]
        assert told == f"1 of {len(every)} runs"
        assert [row["tone"] for row in failed] == ["fail"]
        assert one.too_wide() <= 0
        one.quiet()

        one.page.click("#table-runs a:visible")
        one.page.wait_for_selector("html[data-figure=drawn]", state="attached")
        assert one.page.url == files["failed"].as_uri()
        assert set(one.asked) == {one.url, files["failed"].as_uri()}
        assert not one.told


TONES = ("pass", "fail", "unknown", "dirty")


def test_a_page_that_says_asks_or_hides_something_is_caught(
    browser: Browser, axe: str, tmp_path: Path
) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><title>x</title><p style='color:#eee;background:#fff'>pale</p>"
        "<img src='http://127.0.0.1:9/x.png'><script>console.error('odd')</script>"
    )
    with opened(browser, page, PHONE) as one:
        found = " ".join(one.violations(axe))

        assert "color-contrast (serious)" in found
        assert "image-alt (critical)" in found
        assert any("odd" in line for line in one.told)
        assert "http://127.0.0.1:9/x.png" in one.asked
        with pytest.raises(AssertionError):
            one.quiet()
