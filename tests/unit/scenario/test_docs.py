"""The pages about the files say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gameday.scenario.api import check
from gameday.scenario.codes import CODES
from gameday.scenario.schema import project_schema, scenario_schema
from tests.unit.scenario.diagnostics_page import page
from tests.unit.scenario.samples import write_project

DOCS = Path(__file__).parents[3] / "docs"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_of_diagnostics_is_the_one_that_the_cases_give() -> None:
    text = (DOCS / "diagnostics.md").read_text(encoding="utf-8")
    assert text == page()
    assert all(f"## {code}\n" in text for code in CODES)


@pytest.mark.parametrize(
    ("name", "schema"),
    [("scenario.md", scenario_schema()), ("project-file.md", project_schema())],
)
def test_every_key_has_its_line(name: str, schema: dict[str, dict[str, dict[str, object]]]) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    if name == "project-file.md":
        for more in ("policy-file.md", "sources/http-json.md"):
            text += (DOCS / more).read_text(encoding="utf-8")
    keys = set(schema["properties"])
    for part, definition in schema["$defs"].items():
        if not part.endswith("Part"):
            keys |= set(definition.get("properties", {}))
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_the_examples_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block of each page is a whole file."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    Path("runbooks/payments-slow.md").write_text("# Slow\n", encoding="utf-8")
    blocks = {
        name: _BLOCK.findall((DOCS / name).read_text(encoding="utf-8"))
        for name in ("scenario.md", "project-file.md")
    }
    Path("gameday.yaml").write_text(blocks["project-file.md"][0], encoding="utf-8")
    Path("scenario.yaml").write_text(blocks["scenario.md"][0], encoding="utf-8")
    assert check([Path("scenario.yaml"), Path("gameday.yaml")]).diagnostics == ()


def test_the_other_examples_of_faults_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "scenario.md").read_text(encoding="utf-8")
    first, *others = _BLOCK.findall(text)
    project = _BLOCK.findall((DOCS / "project-file.md").read_text(encoding="utf-8"))[0]
    commands = "    commands: [./bin/flag.sh]\n  staging:"
    write_project(tmp_path)
    Path("runbooks/payments-slow.md").write_text("# Slow\n", encoding="utf-8")
    Path("gameday.yaml").write_text(project.replace("  staging:", commands), encoding="utf-8")
    start, end = first.index("faults:"), first.index("\nexpect:") + 1
    toxic = "faults:\n  - id: grows\n    target: payments\n"
    seen = set()
    for block in others:
        faults = block if block.startswith("faults:") else toxic + block
        body = first[:start] + faults + first[end:]
        Path("scenario.yaml").write_text(body, encoding="utf-8")
        result = check([Path("scenario.yaml")])
        assert result.diagnostics == ()
        seen |= {fault.kind for fault in result.scenarios[0].faults}
        seen |= {"stages" for fault in result.scenarios[0].faults if fault.stages}
    assert seen == {"command", "http", "python", "latency", "stages"}


def test_the_example_of_a_policy_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "policy-file.md").read_text(encoding="utf-8")
    Path("gameday.yaml").write_text("gameday: 1\n" + _BLOCK.findall(text)[0], encoding="utf-8")
    assert check([Path("gameday.yaml")]).diagnostics == ()
