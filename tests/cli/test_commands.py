"""The command line as a stranger meets it: what is printed, and the exit code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports_support import free_port

GAMEDAY = [sys.executable, "-m", "gameday"]
COMMANDS = (
    "check", "plan", "approve", "run", "judge", "report", "recover", "note", "stop", "gate",
    "compare", "schema", "init", "doctor", "demo", "proxy", "load", "runbook",
)  # fmt: skip


def call(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GAMEDAY, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**os.environ, **env},
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A starter project, as `gameday init` writes it."""
    ended = call("init", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    return tmp_path


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port on which something listens that never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        kept: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    kept.append(listener.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(2)
        for connection in kept:
            connection.close()


def with_toxiproxy(project: Path, url: str) -> None:
    path = project / "gameday.yaml"
    text = path.read_text()
    marker = next(line for line in text.splitlines(True) if line.startswith("  local:"))
    path.write_text(text.replace(marker, f'{marker}    toxiproxy: {{url: "{url}"}}\n', 1))


def first(project: Path) -> str:
    return str(next((project / "scenarios").glob("*.yaml")).relative_to(project))


def test_version(tmp_path: Path) -> None:
    from gameday import __version__

    ended = call("--version", cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (0, f"gameday {__version__}\n")


def test_help_names_every_command(tmp_path: Path) -> None:
    ended = call("--help", cwd=tmp_path)

    assert ended.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(tmp_path: Path, command: str) -> None:
    ended = call(command, "--help", cwd=tmp_path)

    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: gameday")


def test_shell_completion_knows_the_commands(tmp_path: Path) -> None:
    ended = call(
        cwd=tmp_path,
        _GAMEDAY_COMPLETE="complete_bash",
        COMP_WORDS="gameday re",
        COMP_CWORD="1",
    )

    assert set(ended.stdout.split()) == {"report", "recover", "readiness"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run",), 2, "Missing argument"),
        (("frobnicate",), 2, "No such command"),
        (("run", "--no-such-option", "x.yaml"), 2, "No such option"),
        (("check", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("run", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("plan", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("judge",), 2, "there is no run `last`"),
        (("judge", "20260101"), 2, "there is no run `20260101`"),
        (("report", "x"), 2, "there is no run `x`"),
        (("compare", "x", "y"), 2, "there is no run `x`"),
        (("note", "hello"), 2, "there is no run `last`"),
        (("recover", "x"), 2, "there is no run `x`"),
        (("recover", "x", "--target", "http://127.0.0.1:1"), 2, "not both"),
        (("load", "check", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("load", "eject", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("load", "import", "openapi", "nowhere.yaml"), 2, "`nowhere.yaml` cannot be read"),
        (("load", "import", "openapi", "."), 2, "`.` cannot be read: is a directory"),
        (("load", "import", "har", "nowhere.har"), 2, "`nowhere.har` cannot be read"),
        (("load", "import", "postman", "x"), 2, "No such command"),
        (("load", "import", "openapi", "x", "--by", "y"), 2, "`y` is no way to group"),
        (("schema", "report"), 2, "`report` has no schema"),
        (("recover",), 0, "no run in `reports` left anything in place"),
        (("doctor",), 0, "toxiproxy"),
    ],
)
def test_what_a_stranger_may_type(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = call(*arguments, cwd=tmp_path)

    assert ended.returncode == code, ended.stdout + ended.stderr
    assert words in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_starter_project_passes_check_and_can_be_planned(project: Path) -> None:
    checked = call("check", "scenarios", cwd=project)
    planned = call("plan", first(project), cwd=project)
    as_json = call("plan", first(project), "--json", cwd=project)

    assert checked.returncode == 0, checked.stderr
    assert "no errors" in checked.stdout
    assert planned.returncode == 0, planned.stderr
    assert "nothing was touched" in planned.stdout
    assert json.loads(as_json.stdout)["scenario"]["id"]


def test_init_overwrites_nothing(project: Path) -> None:
    again = call("init", cwd=project)

    assert again.returncode == 2
    assert "exists in" in again.stderr


def test_all_problems_of_a_file_are_reported_at_once_with_their_places(project: Path) -> None:
    path = project / first(project)
    text = path.read_text()
    path.write_text(text.replace("hypothesis:", "hypotesis:") + "\nfrobnicate: 1\n")

    ended = call("check", str(path.relative_to(project)), cwd=project)

    assert ended.returncode == 2
    assert "did you mean `hypothesis`" in ended.stderr
    assert "`frobnicate`" in ended.stderr
    line = text.splitlines().index(next(t for t in text.splitlines() if t.startswith("hypo"))) + 1
    assert f"{path.relative_to(project)}:{line}:1: error:" in ended.stderr


def test_schemas_are_json(tmp_path: Path) -> None:
    for which in ("scenario", "project"):
        ended = call("schema", which, cwd=tmp_path)

        assert ended.returncode == 0
        assert json.loads(ended.stdout)["$schema"]


def test_the_schema_of_results_is_the_published_file(tmp_path: Path) -> None:
    ended = call("schema", "result", cwd=tmp_path)
    published = Path(__file__).parents[2] / "gameday" / "report" / "result.schema.json"

    assert ended.returncode == 0
    assert ended.stdout == published.read_text(encoding="utf-8")


def test_a_toxiproxy_that_is_not_there_is_one_clear_message(project: Path) -> None:
    port = free_port()
    with_toxiproxy(project, f"http://127.0.0.1:{port}")

    ended = call("run", first(project), cwd=project)

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) <= 3
    assert not list((project / "reports").glob("*"))


def test_a_toxiproxy_that_never_answers_is_one_clear_message(project: Path, deaf_port: int) -> None:
    with_toxiproxy(project, f"http://127.0.0.1:{deaf_port}")

    ended = call("run", first(project), cwd=project)

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert f"127.0.0.1:{deaf_port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_target_that_is_not_up_is_one_clear_message_and_no_run(project: Path) -> None:
    port, path = free_port(), project / "gameday.yaml"
    path.write_text(path.read_text().replace('"127.0.0.1:8080"', f'"127.0.0.1:{port}"'))

    ended = call("run", first(project), "--toxiproxy", "embedded", cwd=project)

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert ended.stderr.splitlines() == [
        "gameday: this run is refused:",
        f"  target payments: nothing listens at its upstream `127.0.0.1:{port}`: the connection is "
        "refused; start it, or correct `upstream` of `payments` in the project file",
    ]
    assert not (project / "reports").exists()


def test_reports_that_cannot_be_written(project: Path) -> None:
    (project / "reports").write_text("a file")

    ended = call("run", first(project), cwd=project)

    assert ended.returncode == 2
    assert "cannot be made" in ended.stderr


def test_outside_local_and_ci_nothing_runs_without_go(project: Path) -> None:
    path = project / "gameday.yaml"
    path.write_text(path.read_text().replace("  local:", "  staging:", 1))

    ended = call("run", first(project), "--env", "staging", cwd=project)

    assert ended.returncode == 2
    assert "--go" in ended.stderr
    assert not (project / "reports").exists()
