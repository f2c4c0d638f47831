"""A GameDay of two parts with three browsers, from the roles to the debrief."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_support import Browser, Opened
from gameday_stages import shop_stage, small_stage
from gameday_support import People, play
from lab_support import lab

pytestmark = pytest.mark.real


def test_a_blind_day_from_the_roles_to_the_debrief(
    browser: Browser, axe: str, tmp_path: Path
) -> None:
    looked: list[str] = []

    def look(people: People, moment: str) -> None:
        looked.append(moment)
        if moment == "go":
            for one in (people.scribe, people.commander):
                seen = Opened(page=one.page, url="", told=[], asked=[])
                assert seen.violations(axe) == []

    with lab(tmp_path) as small:
        play(small_stage(small), browser, look)
    assert looked == ["go", "step", "stop", "gone", "over"]


@pytest.mark.slow
@pytest.mark.demo
def test_the_same_day_on_the_shop(browser: Browser, tmp_path: Path) -> None:
    with shop_stage(tmp_path) as shop:
        play(shop, browser)
