"""`gameday check` also reads the files of readiness: policy, services and waivers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.app.check import init_command
from gameday.cli.main import run

SERVICE = """\
gameday_service: 1
service: books
owner: team-checkout
tier: 2
slos: {availability: 99%}
"""
WAIVERS = """\
gameday_waivers: 1
waivers:
  - {service: books, item: restore, reason: soon, owner: team, approver: lead, expires: 2026-12-03}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    assert init_command(Path()) == 0
    services = tmp_path / "readiness" / "services"
    services.mkdir(parents=True)
    (services / "books.yaml").write_text(SERVICE)
    (tmp_path / "readiness" / "policy.yaml").write_text("gameday_readiness: 1\n")
    (tmp_path / "readiness" / "waivers.yaml").write_text(WAIVERS)
    capsys.readouterr()
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["."], "1 scenario and 3 files of readiness"),
        (["scenarios"], "1 scenario and 3 files of readiness"),
        ([".", "scenarios", "readiness"], "2 scenarios and 3 files of readiness"),
        (["readiness"], "0 scenarios and 3 files of readiness"),
        (["readiness/services/books.yaml"], "0 scenarios and 1 file of readiness"),
    ],
)
def test_files_of_readiness_are_checked_with_the_scenarios_beside_them(
    project: Path, capsys: Any, paths: list[str], told: str
) -> None:
    assert run(["check", *paths]) == 0

    assert capsys.readouterr().out == f"{told} checked, no errors\n"


@pytest.mark.parametrize("named", ["nothing", "{}/nothing"])
def test_a_directory_without_any_file_is_an_error_inside_a_project_with_readiness_too(
    project: Path, capsys: Any, named: str
) -> None:
    (project / "nothing").mkdir()

    assert run(["check", "scenarios", named.format(project)]) == 2

    told = capsys.readouterr().err
    assert "nothing:1:1: error: there is no scenario under this path" in told
    assert told.count(": error:") == 1


def test_files_of_readiness_are_enough_in_a_directory_however_it_is_named(
    project: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "readiness" / "services")

    for named in (".", "..", "../services", str(project / "readiness")):
        assert run(["check", named]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out.endswith("3 files of readiness checked, no errors\n")


def test_a_scenario_that_is_named_is_checked_alone(project: Path, capsys: Any) -> None:
    (project / "readiness" / "policy.yaml").write_text("gameday_readiness: 9\n")
    scenario = next((project / "scenarios").glob("*.yaml"))

    assert run(["check", str(scenario)]) == 0
    assert "readiness" not in capsys.readouterr().out


def test_all_that_is_wrong_with_them_is_told_at_once_with_its_place(
    project: Path, capsys: Any
) -> None:
    ready = project / "readiness"
    (ready / "policy.yaml").write_text(
        "gameday_readiness: 1\ntiers: {tier-1: {alerts: {modes: []}}}\n"
    )
    (ready / "services" / "books.yaml").write_text(SERVICE.replace("tier:", "teir:"))
    (ready / "services" / "cart.yaml").write_text(SERVICE.replace("owner: team-checkout\n", ""))
    (ready / "waivers.yaml").write_text(WAIVERS.replace("restore", "restart"))
    scenario = next((project / "scenarios").glob("*.yaml"))
    scenario.write_text(scenario.read_text() + "nonsence: 1\n")

    assert run(["check", "scenarios"]) == 2

    told = capsys.readouterr().err
    for place in (
        "readiness/policy.yaml:2:34: error: `modes` is an empty list",
        "readiness/services/books.yaml:4:1: error: `teir` is not a key",
        "readiness/services/cart.yaml:1:1: error: `owner` is missing",
        "readiness/waivers.yaml:3:28: error:",
        f"{scenario.relative_to(project)}:",
    ):
        assert place in told


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("services/books.yaml", "service: books\n"),
        ("services/books.yaml", "gameday_service: [\n"),
        ("policy.yaml", "tiers: {}\n"),
        ("policy.yaml", ""),
        ("waivers.yaml", "[]\n"),
    ],
)
def test_a_file_in_its_place_that_does_not_say_what_it_is_is_not_overlooked(
    project: Path, capsys: Any, name: str, text: str
) -> None:
    (project / "readiness" / name).write_text(text)

    assert run(["check", "."]) == 2
    assert f"readiness/{name}:" in capsys.readouterr().err


def test_a_service_file_with_the_name_of_another_service_is_told(
    project: Path, capsys: Any
) -> None:
    (project / "readiness" / "services" / "books.yaml").rename(
        project / "readiness" / "services" / "cart.yaml"
    )

    assert run(["check", "."]) == 2

    told = capsys.readouterr().err
    assert "readiness/services/cart.yaml:2:10: error: this is about `books`" in told
    assert "name the file `books.yaml`, or write `service: cart`" in told


def test_tier_and_objectives_may_stand_in_the_project_file(project: Path, capsys: Any) -> None:
    service = project / "readiness" / "services" / "books.yaml"
    service.write_text(SERVICE.replace("tier: 2\n", ""))
    assert run(["check", "."]) == 2
    assert "nothing says the tier of `books`" in capsys.readouterr().err

    file = project / "gameday.yaml"
    file.write_text(file.read_text().replace("services:\n", "services:\n  books: {tier: 2}\n"))
    assert run(["check", "."]) == 0
    assert run(["check", "readiness"]) == 0


def test_a_project_file_with_errors_is_told_once_with_the_services_that_need_it(
    project: Path, capsys: Any
) -> None:
    (project / "readiness" / "services" / "cart.yaml").write_text(
        SERVICE.replace("service: books", "service: cart").replace("tier: 2\n", "")
    )
    file = project / "gameday.yaml"
    file.write_text(file.read_text() + "\nnonsence: 1\n")

    for path in (".", "readiness"):
        assert run(["check", path]) == 2
        told = capsys.readouterr().err
        assert told.count("`nonsence` is not a key") == 1
        assert "nothing says the tier" not in told, "the project file may say it"


def test_machines_are_told_of_them_too(project: Path, capsys: Any) -> None:
    (project / "readiness" / "policy.yaml").write_text("gameday_readiness: 1\ntears: {}\n")

    assert run(["check", "--format", "json", "."]) == 2
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["code"], found["file"], found["line"]) == (
        "document/unknown-key",
        "readiness/policy.yaml",
        2,
    )


def test_other_files_in_the_folder_are_none_of_ours(project: Path, capsys: Any) -> None:
    (project / "readiness" / "notes.yaml").write_text("a: [\n")
    (project / "readiness" / "services" / "README.md").write_text("gameday_service: 1\n")

    assert run(["check", "."]) == 0
    assert "3 files of readiness" in capsys.readouterr().out
