"""Each alert source has a page whose example is right; the tables of presets are true."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gameday.model.diagnostics import has_errors
from gameday.model.source_presets import PRESETS
from gameday.model.sources import CAPABILITIES, TAKEN_NAMES
from gameday.scenario.api import check
from gameday.scenario.build import read_project
from gameday.scenario.render import render

PAGES = Path(__file__).parents[2] / "docs" / "sources"
EXAMPLE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: Columns of the table of all presets.
COLUMNS = ("firing", "ended", "delivered", "acknowledged", "labels")


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def test_every_source_has_a_page_and_no_page_is_left_over() -> None:
    assert {p.stem for p in PAGES.glob("*.md")} == {*PRESETS, "http-json", *TAKEN_NAMES}


@pytest.mark.parametrize("name", TAKEN_NAMES)
def test_the_page_of_a_source_of_its_own(name: str, tmp_path: Path) -> None:
    text = page(name)
    found = EXAMPLE.search(text)
    assert found is not None
    (tmp_path / "runbooks").symlink_to(PAGES.parents[1] / "scenarios" / "runbooks")
    path = tmp_path / "gameday.yaml"
    path.write_text(found[1])
    said = check([path]).diagnostics
    assert not has_errors(said), render(said)
    project, _, _ = read_project(path)
    assert project is not None
    [environment] = project.environments.values()
    alerting = environment.alerting
    configured = {
        "prometheus": alerting.prometheus_url is not None,
        "alertmanager": alerting.alertmanager_url is not None,
        "receiver": environment.receiver_token is not None,
        "builtin": bool(project.alerts),
    }
    assert configured[name], "the example does not show this source"
    verified = text.partition("## Verified against")[2]
    tests = re.findall(r"`(tests/[\w/.]+)`", verified)
    assert tests, "it does not say which tests verify it"
    for test in tests:
        assert (PAGES.parents[1] / test).exists(), test
    assert f"| [`{name}`](sources/{name}.md) |" in overview()


def overview() -> str:
    return (PAGES.parent / "alert-sources.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*PRESETS, "http-json"])
def test_the_example_is_right(name: str, tmp_path: Path) -> None:
    found = EXAMPLE.search(page(name))
    assert found is not None
    path = tmp_path / "gameday.yaml"
    path.write_text(found[1])
    said = check([path]).diagnostics
    assert not has_errors(said), render(said)
    project, _, _ = read_project(path)
    assert project is not None
    [environment] = project.environments.values()
    [source] = environment.alerting.http_json
    assert source.preset == ("" if name == "http-json" else name)
    assert source.can


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_says_what_it_can_say(name: str) -> None:
    text = page(name)
    spec = replace(PRESETS[name].spec, name=name)
    for capability in CAPABILITIES:
        said = re.search(rf"^\| {capability} \| (yes|no) \|", text, re.MULTILINE)
        assert said is not None, capability
        assert (said[1] == "yes") == (capability in spec.can), capability
    assert "## Verified against" in text
    assert "**not** tried on" in text


def test_the_table_of_all_presets_is_true() -> None:
    text = page("http-json")
    for name, preset in PRESETS.items():
        can = preset.spec.can
        cells = " | ".join("yes" if one in can else "no" for one in COLUMNS)
        assert f"| [`{name}`]({name}.md) | {preset.title} | {cells} |" in text
