"""`gameday check --format`: what CI takes. SARIF 2.1.0 by its structure, GitHub by its commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.app.check import init_command
from gameday.cli.main import run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    assert init_command(Path()) == 0
    capsys.readouterr()
    return tmp_path


def first(project: Path) -> Path:
    return next((project / "scenarios").glob("*.yaml")).relative_to(project)


def broken(project: Path) -> tuple[Path, int]:
    path = project / first(project)
    path.write_text(path.read_text() + "nonsence: 1\n")
    return path.relative_to(project), len(path.read_text().splitlines())


def test_github_annotations_name_file_line_and_column(project: Path, capsys: Any) -> None:
    path, line = broken(project)

    assert run(["check", "--format", "github", str(path)]) == 2

    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.splitlines()[0].startswith(
        f"::error file={path},line={line},col=1,title=document/unknown-key::"
    )


def test_a_clean_check_annotates_nothing(project: Path, capsys: Any) -> None:
    assert run(["check", "--format", "github", str(first(project))]) == 0

    out = capsys.readouterr().out
    assert "::error" not in out
    assert out.endswith("1 scenario checked, no errors\n")


def check_sarif(log: Any, tool: str) -> list[Any]:
    """What SARIF 2.1.0 demands of the parts that we write."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (one,) = log["runs"]
    driver = one["tool"]["driver"]
    assert driver["name"] == tool
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    assert one["columnKind"] in ("unicodeCodePoints", "utf16CodeUnits")
    for result in one["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        for place in result.get("locations", ()):
            physical = place["physicalLocation"]
            uri = physical["artifactLocation"]["uri"]
            assert uri.isascii()
            assert not set(uri) & set(' "<>\\^`{|}')
            region = physical["region"]
            assert region["startLine"] >= 1
            assert 1 <= region["startColumn"] <= region.get("endColumn", region["startColumn"])
    return list(one["results"])


def test_sarif_of_a_check(project: Path, capsys: Any) -> None:
    path, line = broken(project)
    odd = path.with_name("ü & b.yaml")
    odd.write_text((project / path).read_text().replace("id: ", "id: other-", 1))

    assert run(["check", "--format", "sarif", "scenarios"]) == 2

    results = check_sarif(json.loads(capsys.readouterr().out), "gameday check")
    found = [r for r in results if r["ruleId"] == "document/unknown-key"]
    places = [r["locations"][0]["physicalLocation"] for r in found]
    assert {p["artifactLocation"]["uri"] for p in places} == {
        str(path),
        "scenarios/%C3%BC%20%26%20b.yaml",
    }
    assert places[0]["region"] == {"startLine": line, "startColumn": 1, "endColumn": 9}


def test_sarif_without_problems_has_no_results(project: Path, capsys: Any) -> None:
    assert run(["check", "--format", "sarif", str(first(project))]) == 0

    assert check_sarif(json.loads(capsys.readouterr().out), "gameday check") == []


def test_a_problem_without_a_place_is_in_sarif_too(project: Path, capsys: Any) -> None:
    assert run(["check", "--format", "sarif", "nowhere"]) == 2

    assert check_sarif(json.loads(capsys.readouterr().out), "gameday check")


def test_sarif_of_runbooks(project: Path, capsys: Any) -> None:
    book = project / "runbooks" / "extra.md"
    book.parent.mkdir(exist_ok=True)
    book.write_text("# Extra\n\nSee [this](gone.md).\n")

    assert run(["runbook", "lint", "--format", "sarif", "runbooks"]) == 1

    results = check_sarif(json.loads(capsys.readouterr().out), "gameday runbook lint")
    dead = next(r for r in results if r["ruleId"] == "link/file")
    place = dead["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "runbooks/extra.md"
    assert place["region"]["startLine"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "xml"], "`xml` is no format; write `text`, `json`, `github`, `sarif`"),
        (["--format", "sarif", "--online"], "`--online` asks servers"),
    ],
)
def test_a_format_that_there_is_not(
    project: Path, capsys: Any, arguments: list[str], said: str
) -> None:
    assert run(["check", str(first(project)), *arguments]) == 2

    assert said in capsys.readouterr().err
