"""`gameday runbook lint` as a stranger meets it: what is printed, and the exit code."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gameday.app.runbook_lint import LintRequest, run_lint
from gameday.cli.main import run
from gameday.model.runbook import Level

ROOT = Path(__file__).parents[2]
FOUR = """# PaymentsSlow

## Diagnosis

Look at the error ratio of each dependency and find the one that rises.

## Mitigation

Take the dependency that fails out of the path, then tell its team.
"""
RULES = """groups:
  - name: shop
    rules:
      - {alert: PaymentsSlow, expr: up == 0, annotations: {runbook_url: runbooks/slow.md}}
      - {alert: PaymentsGone, expr: up == 0}
      - {record: a, expr: up}
"""


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "slow.md").write_text(FOUR)
    (tmp_path / "runbooks" / "README.md").write_text("# Our runbooks\n")
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "gameday.yaml").write_text("gameday: 1\nenvironments: {local: {}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(name="prometheus")
def _prometheus() -> Iterator[str]:
    """Something that answers like a Prometheus with one rule."""
    rule = {"type": "alerting", "name": "PaymentsGone", "annotations": {}}
    body = json.dumps(
        {"status": "success", "data": {"groups": [{"name": "g", "interval": 1, "rules": [rule]}]}}
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.startswith("/api/v1/rules") else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def lint(*arguments: str) -> int:
    return run(["runbook", "lint", *arguments])


def test_the_runbooks_of_the_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint() == 0

    said = capsys.readouterr().out
    assert "runbooks/slow.md:1:1: warning: nobody is named who keeps this" in said
    assert "L1  runbooks/slow.md  for L2: an owner; whom to escalate to\n" in said
    assert said.endswith("1 runbook: 0 errors, 1 warning, 6 notes\n")


def test_the_level_decides_how_it_ends(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--fail-on", "warning") == 1
    assert lint("--fail-on", "warning", "--ignore", "owner") == 0
    assert lint("--fail-on", "note", "--ignore", "owner,fresh", "--ignore", "section") == 0
    (project / "runbooks" / "slow.md").write_text("# PaymentsSlow\n")
    capsys.readouterr()
    assert lint("--level", "error") == 1
    assert capsys.readouterr().out.count("error: there is no section") == 2
    assert lint("--select", "link") == 0
    assert lint("--fail-on", "never") == 0


def test_json_is_one_object_a_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--json", "--select", "owner") == 0

    finding, runbook, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert finding == {
        "kind": "finding", "rule": "owner/missing", "level": "warning", "file": "runbooks/slow.md",
        "line": 1, "column": 1, "message": "nobody is named who keeps this runbook true",
        "hint": "write `owner: team-…` into the front matter, or a line `Owner: team-…`",
    }  # fmt: skip
    assert (runbook["grade"], runbook["warnings"], runbook["notes"]) == ("L1", 1, 0)
    assert (summary["runbooks"], summary["grades"]["L1"]) == (1, 1)


def test_annotations_for_github(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runbooks" / "slow.md").write_text(FOUR + "\nSee [a, 100%](gone.md).\n")
    assert lint("--format", "github", "--select", "link") == 1

    first = capsys.readouterr().out.splitlines()[0]
    assert first == (
        "::error file=runbooks/slow.md,line=11,col=15,title=link/file::"
        "`gone.md` leads nowhere: there is no such file: "
        "correct the path; it starts from the folder of this file"
    )


def test_against_a_rule_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--rules", "rules.yml", "--select", "alert") == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "rules.yml:5:1: warning: `PaymentsGone` has no `runbook_url` (alert/no-runbook)"
    )


def test_against_a_prometheus(
    project: Path, prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint("--prometheus", prometheus, "--select", "alert", "--fail-on", "warning") == 1

    said = capsys.readouterr().out
    assert f"{prometheus}:1:1: warning: `PaymentsGone` has no `runbook_url`" in said
    assert "runbooks/slow.md:1:1: warning: no alert leads here" in said


def test_a_prometheus_that_is_not_there_is_no_answer(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint("--prometheus", "http://127.0.0.1:1") == 3
    assert "Prometheus at http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.md"], "there is no file or folder `gone.md`"),
        (["--select", "nonsense"], "`nonsense` is no rule and no group of rules"),
        (["--format", "xml"], "`xml` is no format; write `text`, `json`, `github`, `sarif`"),
        (["--level", "all"], "`--level all`: write `error`, `warning`, `note`"),
        (["--rules", "gone.yml"], "the rules `gone.yml` cannot be read"),
        (["--rules", "gameday.yaml"], "`gameday.yaml` has no `groups` of rules"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(*arguments) == 2
    assert said in capsys.readouterr().err


def test_files_that_cannot_be_read_are_findings(project: Path) -> None:
    runbooks = project / "runbooks"
    (runbooks / "a.md").write_bytes(b"\xff\xfe")
    (runbooks / "b.md").write_bytes(b"x" * (1024 * 1024 + 1))
    (runbooks / "c.md").write_text("\n")
    found = run_lint(LintRequest(select=["file"]), today=date(2026, 6, 1)).findings
    assert [(f.file, f.message) for f in found] == [
        ("runbooks/a.md", "it is not UTF-8 text"),
        ("runbooks/b.md", "it is larger than 1048576 bytes"),
        ("runbooks/c.md", "it is empty"),
    ]


def test_programs_that_the_project_allows(project: Path) -> None:
    (project / "runbooks" / "slow.md").write_text(f"{FOUR}\n```bash\nno-such-tool x\n```\n")

    def messages(*allow: str) -> list[str]:
        request = LintRequest(select=["command/unknown"], allow=allow)
        return [f.message for f in run_lint(request, today=date(2026, 6, 1)).findings]

    assert messages() == ["there is no program `no-such-tool` on the PATH"]
    assert messages("no-such-tool") == []
    with (project / "gameday.yaml").open("a") as file:
        file.write("runbook_commands: [no-such-tool]\n")
    assert messages() == []


def test_nothing_in_a_runbook_is_run(project: Path) -> None:
    mark = project / "mark"
    text = f"{FOUR}\n```bash {{timeout=5s}}\ntouch {mark}; $(touch {mark})\n```\n"
    (project / "runbooks" / "slow.md").write_text(text)
    run_lint(LintRequest(), today=date(2026, 6, 1))
    assert not mark.exists()


def test_the_shops_runbooks_have_neither_errors_nor_warnings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT / "scenarios")
    request = LintRequest(
        rules=[ROOT / "gameday" / "demo" / "files" / "rules.yml"], allow=["psql", "curl"]
    )
    linted = run_lint(request, today=date(2026, 6, 1))
    assert [f for f in linted.findings if f.level is not Level.NOTE] == []
    assert {f.rule for f in linted.findings} == {"fresh/never"}
    assert {grade.grade for grade in linted.grades.values()} == {"L3", "L4"}


def test_the_starters_runbook_is_no_bad_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["init", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)
    found = run_lint(LintRequest(allow=["curl"]), today=date(2026, 6, 1)).findings
    assert [f for f in found if f.level is Level.ERROR] == []
