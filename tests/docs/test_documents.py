"""The documents are true: commands exist, scenarios lint, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"\bgameday ((?:[a-z]+ ?)+)")
#: A text that is shown whole, good or bad; what it does is tested where it belongs.
EXAMPLE = re.compile(r"^````markdown\n.*?^````$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
#: Words after `gameday` that are prose, not a command.
PROSE = {"is", "and", "drives", "for", "runs", "creates", "itself", "run's"}


def ids(paths: list[Path]) -> list[str]:
    return [str(p.relative_to(ROOT)) for p in paths]


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, match in enumerate(FENCE.finditer(page.read_text())):
            if match[1] == language:
                found.append((f"{page.relative_to(ROOT)}#{number}", match[2]))
    return found


def commands() -> dict[str, set[str]]:
    from typer.main import get_command

    from gameday.cli.main import app

    root = get_command(app)
    found: dict[str, set[str]] = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        subs = getattr(command, "commands", {})
        for sub in subs.values():
            for one in (sub, *getattr(sub, "commands", {}).values()):
                options |= {o for p in one.params for o in (*p.opts, *p.secondary_opts)}
        found[name] = options | {"--help", "-h"} | set(subs)
    return found


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(EXAMPLE.sub("", page.read_text())):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} in {page.name}"


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_commands_in_code_exist_with_their_options(page: Path) -> None:
    known = commands()
    for line in code_of(page):
        for found in re.finditer(r"(?:^|[\s`/])gameday ([a-z]+)([^`\n&|;]*)", line):
            name, rest = found[1], found[2]
            if name in PROSE:
                continue
            assert name in known, f"`gameday {name}` in {page.name}: {line}"
            for option in re.findall(r"(?<!\S)(--[a-z-]+)", rest):
                assert option in known[name], f"`{option}` of `gameday {name}` in {page.name}"


def code_of(page: Path) -> list[str]:
    text = page.read_text()
    inline = re.findall(r"`(gameday [^`]+)`", text)
    fenced = [
        line
        for m in FENCE.finditer(text)
        if m[1] in ("console", "", "sh")
        for line in m[2].splitlines()
    ]
    return [*inline, *(line for line in fenced if re.match(r"\s*(\S+/)?gameday [a-z]", line))]


@pytest.mark.parametrize(("where", "text"), blocks("yaml"), ids=[w for w, _ in blocks("yaml")])
def test_yaml_blocks_are_what_we_read(where: str, text: str, tmp_path: Path) -> None:
    """Every whole scenario and project file in the docs passes `check`; the rest is YAML."""
    from gameday.model.diagnostics import has_errors
    from gameday.scenario.api import check
    from gameday.scenario.render import render

    if not text.startswith("gameday: 1"):
        yaml.safe_load(text)
        return
    is_project = "environments:" in text
    (tmp_path / "gameday.yaml").write_text(
        text if is_project else (ROOT / "scenarios" / "gameday.yaml").read_text()
    )
    if not is_project:
        (tmp_path / "scenario.yaml").write_text(text)
    (tmp_path / "runbooks").symlink_to(ROOT / "scenarios" / "runbooks")

    found = check([tmp_path / ("gameday.yaml" if is_project else "scenario.yaml")])

    assert not has_errors(found.diagnostics), f"{where}\n{render(found.diagnostics)}"


def test_every_check_has_a_page_with_its_four_headings_and_no_page_is_left_over() -> None:
    from gameday.checks import CHECKS

    pages = {p.stem: p.read_text() for p in (ROOT / "docs" / "checks").glob("*.md")}

    assert set(pages) == {name.replace("/", "-") for name in CHECKS}
    for text in pages.values():
        headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
        assert headings == ["What it asks", "Evidence", "When inconclusive", "Example"]


def test_every_toxic_has_a_page() -> None:
    from gameday.model.toxics import TOXICS

    pages = {p.stem.replace("-", "_") for p in (ROOT / "docs" / "faults").glob("*.md")}

    assert {*TOXICS, "down"} <= pages


def test_every_event_kind_is_in_the_journals_page() -> None:
    from gameday.model.event import ACTION_KINDS, NOTE_KINDS

    text = (ROOT / "docs" / "journal.md").read_text()

    for kind in ACTION_KINDS | NOTE_KINDS:
        assert f"`{kind}`" in text, kind


def test_every_exit_code_is_explained() -> None:
    from gameday.model.verdict import ExitCode

    text = (ROOT / "docs" / "exit-codes.md").read_text()

    for code in ExitCode:
        assert f"| {int(code)} |" in text


def test_the_readmes_two_commands_are_those_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    ci = (ROOT / ".ci" / "run").read_text()

    assert ".venv/bin/gameday demo" in readme
    assert ".venv/bin/python -m pytest\n" in readme
    assert ".venv/bin/python -m pytest\n" in ci
