"""docs/reference is what the definitions of the files and the command line say."""

from __future__ import annotations

import os
import re

import pytest

from gameday.scenario.schema import day_schema, project_schema, scenario_schema
from tests.docs.reference_pages import FOLDER, pages

PAGES = pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_the_one_that_the_definitions_give(name: str) -> None:
    path = FOLDER / name
    if os.environ.get("GAMEDAY_UPDATE") == "1":
        path.write_text(PAGES[name], encoding="utf-8")

    assert path.read_text(encoding="utf-8") == PAGES[name], (
        "run `python -m tests.docs.reference_pages`, and read the difference"
    )


def test_no_page_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == set(PAGES)


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (scenario_schema(), ["scenario.md"]),
        (project_schema(), ["project.md", "policy.md"]),
        (day_schema(), ["day.md"]),
    ],
    ids=["scenario", "project", "day"],
)
def test_every_key_of_the_schema_has_its_row_in_its_section(
    schema: dict[str, dict[str, dict[str, object]]], names: list[str]
) -> None:
    """The schema is made from the same documents by other means: neither forgets a key."""
    rows: dict[str, set[str]] = {}
    for name in names:
        for part in PAGES[name].split("\n## ")[1:]:
            title, _, body = part.partition("\n")
            rows[title] = set(re.findall(r"^\| `([\w.]+)` \|", body, re.MULTILINE))

    assert rows["The file"] == set(schema["properties"])
    for title, definition in schema["$defs"].items():
        if not title.endswith("Part") and title != "Profile":
            heading = {"ker": "Docker"}.get(title, title)
            assert rows[heading] == set(definition.get("properties", {})), title


def test_needed_keys_and_defaults_are_told() -> None:
    text = PAGES["scenario.md"]

    assert "| `revert_for` | duration | `1m` | whole seconds, `1s` to `7d` |" in text
    assert "| `stop_when` | list of [condition]" in text
    assert re.search(r"\| `stop_when` \|[^|]*\| \*needed\* \|", text)
    assert "Exactly one of `arrivals`, `users`." in text
    assert "| `latency` | `jitter` | duration | `0s` | `0s` to `1d` |" in text


def test_every_option_of_a_command_is_told() -> None:
    from tests.docs.test_documents import commands

    text = PAGES["commands.md"]

    for name, options in commands().items():
        assert f"## gameday {name}" in text
        for option in options:
            if option.startswith("--") and option != "--help":
                assert f"`{option}`" in text, f"{name} {option}"
