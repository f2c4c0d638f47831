"""Others are told of a real run: its start, its end, and when its runner is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from lab_support import GAMEDAY, Lab, process, run_gameday
from set_support import as_wanted, long_scenario, quick_scenario

from gameday.journal import read

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from notice_fakes import sink, wait_until

START = "[EXERCISE] gameday on front (local) has started"
CLEAR = "[EXERCISE] gameday on front (local) is over, all clear"
DEAD = "json://127.0.0.1:9/dead-token-5678"


def told_project(lab: Lab, *names: str) -> None:
    """The usual project and scenario, with notices."""
    lab.write()
    path = lab.directory / "gameday.yaml"
    project = yaml.safe_load(path.read_text())
    project["notices"] = {
        name: {"url": {"env": f"NOTICE_{name.upper()}"}, "environments": ["local"]}
        for name in names
    }
    path.write_text(yaml.safe_dump(project, sort_keys=False))


def notices(run: Path) -> list[dict[str, Any]]:
    lines = (run / "journal.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["kind"].startswith("notice.")]


def test_a_run_is_told_of_and_who_is_gone_changes_nothing(small_lab: Lab) -> None:
    told_project(small_lab, "chat", "gone")
    scenario = small_lab.directory / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(quick_scenario("short"), sort_keys=False))
    with sink() as chat:
        env = {"NOTICE_CHAT": chat.url, "NOTICE_GONE": DEAD}
        for command in ("check", "plan"):
            looked = run_gameday(command, "scenario.yaml", cwd=small_lab.directory, env=env)
            assert looked.returncode == 0, looked.stdout + looked.stderr
            assert chat.posts == [], f"`{command}` sends nothing"
        assert "notice chat: told of start, stop, dirty, clear; brief" in looked.stdout
        ended = run_gameday(
            "run", "scenario.yaml", "--profile", "smoke", cwd=small_lab.directory, env=env,
            within_s=300,
        )  # fmt: skip
        wait_until("both are told", lambda: {START, CLEAR} <= set(chat.titles), 240)

    assert as_wanted(0, small_lab.result()["verdict"]), ended.stdout + ended.stderr
    assert len(set(chat.titles)) == len(chat.titles), "each is told once"
    run = small_lab.last_run
    found = notices(run)
    asked = [e["subject"] for e in found if e["kind"] == "notice.asked"]
    assert asked == ["start", "clear"]
    gone = {e["subject"] for e in found if e["kind"] == "notice.failed"}
    assert gone == set(asked)
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    assert lines[-1]["kind"] == "run.closed"
    report = (run / "report.md").read_text()
    assert "warning: `gone` was not told (clear)" in report
    assert "warning: `gone` was not told (clear)" not in (run / "junit.xml").read_text()
    for path in run.rglob("*"):
        if path.is_file():
            text = path.read_text(errors="replace")
            assert "dead-token" not in text, path
            assert "hook-token" not in text, path


def test_the_sentinel_tells_when_the_runner_is_killed(small_lab: Lab) -> None:
    told_project(small_lab, "chat")
    path = small_lab.directory / "scenario.yaml"
    path.write_text(yaml.safe_dump(long_scenario("long"), sort_keys=False))
    said = small_lab.directory / "said.txt"
    with sink() as chat, said.open("w") as out, process(
        [*GAMEDAY, "run", "scenario.yaml", "--quiet"], cwd=small_lab.directory,
        env={**os.environ, "NOTICE_CHAT": chat.url}, stdin=subprocess.DEVNULL, stdout=out,
        stderr=out,
    ) as runner:  # fmt: skip
        wait_until(
            "the start is told, or there was no run",
            lambda: bool(chat.posts) or runner.poll() is not None,
            240,
        )
        assert chat.titles == [START], said.read_text()
        runner.kill()
        wait_until("the end is told", lambda: len(chat.posts) == 2, 240)
        assert chat.titles == [START, CLEAR]
        assert "by the sentinel" in chat.posts[1][1]["message"]
        run = small_lab.last_run
        wait_until("the sentinel knows", lambda: last_word(run) == "notice.sent", 240)
        again = run_gameday("recover", run.name, cwd=small_lab.directory, within_s=240)
        assert again.returncode == 0, again.stdout + again.stderr
        assert len(chat.posts) == 2, "it is told once"
    small_lab.assert_clean()


def last_word(run: Path) -> str:
    """The kind of the last notice in the journal, of which the last line may be half written."""
    found = [e for e in read(run / "journal.jsonl").events if e.kind.startswith("notice.")]
    return found[-1].kind if found and found[-1].subject == "clear" else ""
