"""The page of `gameday compare` in Chromium: both runs in one figure, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_support import DESKTOP, PHONE, Browser, Opened, opened, write_compared

pytestmark = pytest.mark.real
SIZES = {"desktop": DESKTOP, "phone": PHONE}
WHITE = "rgb(255, 255, 255)"
#: What the figure looks like in each of its panels: they are alike, one below the other.
PANELS = """n => {
  const whole = document.querySelector('#figure-view canvas');
  const height = Math.floor(whole.height / n);
  return Array.from({length: n}, (_, i) => {
    const one = document.createElement('canvas');
    one.width = whole.width;
    one.height = height;
    one.getContext('2d').drawImage(whole, 0, -i * height);
    return one.toDataURL();
  });
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    del browser  # nothing is written where there is none
    return write_compared(tmp_path_factory.mktemp("compared") / "compared.html")


@pytest.fixture(scope="module", params=SIZES)
def window(request: pytest.FixtureRequest, browser: Browser, page: Path) -> Iterator[Opened]:
    with opened(browser, page, SIZES[request.param]) as one:
        yield one


@pytest.fixture
def compared(window: Opened) -> Iterator[Opened]:
    """It has to be quiet and in bounds after whatever was done to it."""
    yield window
    window.quiet()
    assert window.too_wide() <= 0


def test_it_opens_with_what_is_worse(compared: Opened) -> None:
    assert compared.text("#verdict") == "worse"
    assert "errors" in compared.text("#reasons")
    top, height = compared.box("#verdict")
    size = compared.page.viewport_size
    assert size is not None
    assert 0 <= top < top + height < size["height"] / 3
    assert compared.text("#zoom-range") == ""


def test_a_zoom_is_one_of_all_panels(compared: Opened) -> None:
    said = compared.page.get_attribute("#figure-view", "aria-label") or ""
    panels = int(said.partition(" panels")[0])
    whole = compared.page.evaluate(PANELS, panels)

    before = compared.picture()
    compared.redraws(lambda: compared.page.click("#zoom-in"))
    near = compared.page.evaluate(PANELS, panels)
    told = compared.text("#zoom-range")
    after = compared.redraws(lambda: compared.page.click("#zoom-reset"))

    assert panels >= 4
    assert len(whole) == len(near) == panels
    assert all(a != b for a, b in zip(whole, near, strict=True))
    assert re.fullmatch(r"\d:\d\d\.\d to \d:\d\d\.\d", told)
    assert after == before


def test_the_keyboard_reads_both_runs_off(compared: Opened) -> None:
    keys = compared.page.keyboard
    compared.page.focus("#figure-view")
    compared.redraws(lambda: keys.press("ArrowRight"))
    compared.redraws(lambda: keys.press("ArrowRight"))

    assert re.match(
        r"0:01\.0 · before: 100/s asked, .*/s good, .*· after: 100/s asked, .*",
        compared.text("#figure-readout"),
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_in_both_themes(compared: Opened, axe: str, theme: str) -> None:
    light = compared.picture()
    if theme == "dark":
        compared.redraws(lambda: compared.page.click("#theme-switch"))
    found = compared.violations(axe, only_colours=theme == "dark")
    ground = compared.colour("#answer", "backgroundColor")
    if theme == "dark":
        assert compared.redraws(lambda: compared.page.click("#theme-switch")) == light

    assert found == []
    assert (ground == WHITE) == (theme == "light")


def test_it_prints_without_buttons(compared: Opened) -> None:
    page = compared.page
    pdf = page.pdf(format="A4")
    page.emulate_media(media="print")
    try:
        seen = [e for e in page.locator("button").all() if e.is_visible()]
        ground = compared.colour("body", "backgroundColor")
        tables = [e for e in page.locator("table").all() if not e.is_visible()]
    finally:
        page.emulate_media(media="screen")

    assert pdf.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 20
    assert seen == []
    assert tables == []
    assert ground == WHITE


@pytest.mark.parametrize("size", SIZES)
def test_without_scripts_the_figure_is_a_picture(browser: Browser, page: Path, size: str) -> None:
    with opened(browser, page, SIZES[size], scripts=False) as one:
        top, height = one.box("#figure-picture")

        assert top > 0
        assert height > 200
        assert not one.page.is_visible("#figure-tools")
        assert one.asked[0] == one.url
        assert all(url.startswith("data:") for url in one.asked[1:])
        assert not one.told
