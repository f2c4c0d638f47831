"""`gameday init --with templates`: what it writes passes, and runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gameday.app.day_journal import days_of
from gameday.cli.main import run

ROLES = {
    "tabletop": ("coordinator", "commander", "scribe"),
    "drill": ("owner", "coordinator"),
}
FILES = {
    "days/plan.yaml", "days/tabletop.yaml", "days/drill.yaml", "days/drill_example.py",
    "templates/announcement.md", "templates/observers-guide.md", "templates/debrief.md",
    "templates/executive-summary.md",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--with", "templates"]) == 0
    return tmp_path


def begin(name: str) -> str:
    plan = f"days/{name}.yaml"
    assert run(["day", "start", plan, *(w for r in ROLES[name] for w in ("--take", r))]) == 0
    return plan


def test_all_of_it_is_written_and_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {name for name in FILES if (project / name).is_file()} == FILES
    assert "@" not in (project / "days/plan.yaml").read_text()
    capsys.readouterr()
    assert run(["check", "."]) == 0
    assert capsys.readouterr().out == "1 scenario and 3 plans of a day checked, no errors\n"


def test_the_tabletop_runs(project: Path) -> None:
    plan = begin("tabletop")
    lines = "\nd commander: it is one\n" + "\nd commander: the owner does\n" * 5 + "\n"
    ended = subprocess.run(
        [sys.executable, "-m", "gameday", "day", "next", plan, "--go"],
        input=lines.removeprefix("\n"), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert run(["day", "debrief", plan]) == 0
    text = (days_of(Path("reports"))[0].folder / "debrief.md").read_text()
    assert "whoever knows the backup is on a plane" in text.casefold()
    assert text.count("the owner does (D") == 5


def test_the_drill_really_restores_and_finds_what_is_missing(project: Path) -> None:
    plan = begin("drill")

    assert run(["day", "next", plan, "--go"]) == 0
    assert (project / ".drill/backup.db").exists()
    assert not (project / ".drill/copy.db").exists()

    program = project / "days/drill_example.py"
    program.write_text(program.read_text().replace("-1200)", "-1100)"))
    assert run(["day", "next", plan, "--go", "--item", "restore-books"]) == 1
    last = [e for e in days_of(Path("reports"))[0].events() if e.kind == "day.item"][-1]
    assert "the books do not balance" in last.data["reason"]


def test_a_plan_is_announced_without_what_is_broken(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["day", "text", "days/plan.yaml", "announce"]) == 0
    text = capsys.readouterr().out
    assert "ABORT GAMEDAY" in text
    assert "latency" not in text


def test_a_project_that_is_there_gets_only_the_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    before = (tmp_path / "gameday.yaml").read_text()

    assert run(["init", "--with", "templates"]) == 0
    assert (tmp_path / "gameday.yaml").read_text() == before
    assert run(["init", "--with", "templates"]) == 2
    assert "exists in `.` already" in capsys.readouterr().err
    assert run(["init", "--with", "cake"]) == 2
