"""Runbooks against a fault that is in: what helps, what does not, and what must not be run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from lab_support import GAMEDAY, Lab, run_gameday, wait_until

LATE = 'curl -fsS -o /dev/null -w "took %{time_total}" "$GAMEDAY_TARGET_FRONT/work"'
SWITCH = 'curl -fsS -X POST -d {} "$GAMEDAY_TARGET_FRONT/{}"'


def step(title: str, attributes: str, script: str) -> str:
    text = "What to do, and what is seen then, in a word."
    return f"## {title}\n\n{text}\n\n```bash {{{attributes}}}\n{script}\n```\n\n"


def diagnosis(script: str = LATE, expects: str = "took 0.[6-9]") -> str:
    return step("Diagnosis", f"name=late timeout=5s expect_stdout='{expects}'", script)


def mitigation(where: str = "memory", how: str = "mutates=true") -> str:
    return step("Mitigation", f"name=switch timeout=5s {how}", SWITCH.format("on", where))


VERIFY = step(
    "Verify", "name=well timeout=5s expect_stdout=well", 'curl -fsS "$GAMEDAY_TARGET_FRONT/healthz"'
)
ROLLBACK = step("Rollback", "name=back timeout=5s mutates=true", SWITCH.format("off", "memory"))

BOOKS = {
    "helps": diagnosis() + mitigation() + VERIFY + ROLLBACK,
    "nothing": diagnosis() + mitigation("nothing") + VERIFY + ROLLBACK,
    "same": diagnosis('curl -fsS "$GAMEDAY_TARGET_FRONT/healthz"', "well") + mitigation() + VERIFY,
    "unsafe": diagnosis() + mitigation(how="") + VERIFY,
}


def write(lab: Lab, *names: str, **more: Any) -> None:
    """A scenario that proves these runbooks, while the fault is held in."""
    lab.environment = {"commands": ["bash"]}
    books = [
        {"path": f"runbooks/{name}.md", "prove": True, "restores_within": "8s"} for name in names
    ]
    lab.write(
        {
            "phases": {"warmup": "1s", "baseline": "4s", "fault": "60s", "recovery": "7s"},
            "faults": [
                {
                    "id": "late",
                    "target": "back",
                    "toxic": {"type": "latency", "latency": "600ms"},
                    "hold": "until mitigated",
                }
            ],
            "expect": {
                "baseline": ["errors < 5%", "p50 < 500ms"],
                "fault": ["errors < 5%"],
                "recovery": ["steady within 4s"],
                "alerts": [{"alert": "BackSlow", "fires_within": "6s"}],
                "runbooks": books,
            },
            **more,
        }
    )
    for name, text in BOOKS.items():
        (lab.directory / "runbooks" / f"{name}.md").write_text(f"# {name}\n\n{text}")


def verdicts(lab: Lab) -> dict[str, dict[str, Any]]:
    found = [f for f in lab.result()["expectations"] if f["check"] == "runbook/proven"]
    return {Path(f["subject"]).stem: f for f in found}


def steps(finding: dict[str, Any], arm: str) -> list[dict[str, Any]]:
    return [row for row in finding["facts"]["steps"] if row["arm"] == arm and not row["skipped"]]


def test_each_runbook_gets_the_word_that_it_deserves(small_lab: Lab) -> None:
    write(small_lab, "nothing", "same", "unsafe", "helps")

    ended = small_lab.run("--run-runbooks")

    found = verdicts(small_lab)
    words = {name: one["facts"]["verdict"] for name, one in found.items()}
    assert words == {
        "helps": "proven",
        "nothing": "mitigation_ineffective",
        "same": "non_discriminating",
        "unsafe": "unsafe",
    }, json.dumps(found, indent=1) + ended.stdout + ended.stderr
    assert ended.returncode == 1
    helps = found["helps"]["facts"]
    off_ms = small_lab.result()["faults"][0]["off_ms"]
    assert helps["mitigation_begun_ms"] + helps["steady_after_ms"] < off_ms
    assert helps["resolved_after_ms"] is not None
    assert steps(found["unsafe"], "baseline") == []
    assert steps(found["same"], "mitigate") == []
    assert [row["passed"] for row in steps(found["nothing"], "undo")] == [True]
    assert [row["passed"] for row in steps(found["helps"], "rollback")] == [True]
    report = (small_lab.last_run / "report.md").read_text()
    assert "<summary>Whether the runbooks cured it" in report
    assert "| fault | `late` | yes |" in report
    coverage = small_lab.result()["runbook_coverage"]
    assert {one["name"]: (one["count"], one["n"]) for one in coverage} == {
        "linked": (1, 2), "fired_linked": (1, 1), "valid": (1, 2), "proven": (1, 2),
    }  # fmt: skip
    check_certifying(small_lab)
    small_lab.assert_clean()


def check_certifying(lab: Lab) -> None:
    """Only what was proven, only as it was, and only what a validation writes is changed."""
    helps, nothing = (lab.directory / "runbooks" / f"{name}.md" for name in ("helps", "nothing"))
    before = helps.read_text()
    refused = run_gameday("runbook", "certify", "last", str(nothing), cwd=lab.directory)
    assert (refused.returncode, nothing.read_text()) == (2, f"# nothing\n\n{BOOKS['nothing']}")
    assert "did not prove" in refused.stderr

    for _ in range(2):  # certifying changes nothing that counts
        done = run_gameday("runbook", "certify", "last", "runbooks/helps.md", cwd=lab.directory)
        assert done.returncode == 0, done.stderr
    assert helps.read_text().endswith(f"---\n\n{before}")
    assert f"validated_run: {lab.last_run.name}\n" in helps.read_text()

    helps.write_text(before + "One more word.\n")
    changed = run_gameday("runbook", "certify", "last", "runbooks/helps.md", cwd=lab.directory)
    assert changed.returncode == 2
    assert "was changed since" in changed.stderr


def test_without_the_option_nothing_is_changed_and_nothing_is_proven(small_lab: Lab) -> None:
    write(
        small_lab,
        "helps",
        phases={"warmup": "1s", "baseline": "4s", "fault": "6s", "recovery": "6s"},
    )

    ended = small_lab.run()

    found = verdicts(small_lab)["helps"]
    assert (found["facts"]["verdict"], found["outcome"]) == ("diagnoses_only", "inconclusive"), (
        found
    )
    assert ended.returncode == 3, ended.stdout
    mutating = [r for r in found["facts"]["steps"] if r["arm"] in ("mitigate", "rollback", "undo")]
    assert mutating
    assert all(row["skipped"] for row in mutating)
    assert [row["passed"] for row in steps(found, "fault")] == [True]


def test_a_runner_that_is_killed_takes_the_step_with_it(small_lab: Lab) -> None:
    pid = small_lab.directory / "pid"
    BOOKS["hangs"] = diagnosis() + step(
        "Mitigation", "timeout=60s mutates=true", "echo $$ > pid; sleep 50 & sleep 50; touch landed"
    )
    write(small_lab, "hangs")
    command = [*GAMEDAY, "run", "scenario.yaml", "--run-runbooks", "-q"]
    quiet = subprocess.DEVNULL
    runner = subprocess.Popen(command, cwd=small_lab.directory, stdout=quiet, stderr=quiet)
    try:
        wait_until("the step is under way", lambda: pid.exists() and pid.read_text() != "", 60.0)
        group = os.getpgid(int(pid.read_text()))
        assert group != os.getpgid(runner.pid)
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait(10)

    wait_until("nobody of the step is left", lambda: not alive(group), 10.0)
    wait_until("the fault is out", small_lab.well, 30.0)
    assert not (small_lab.directory / "landed").exists()


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_people_do_a_step_and_say_so(small_lab: Lab) -> None:
    by_hand = step("Mitigation", "name=by-hand manual=true timeout=40s", "switch the memory on")
    BOOKS["people"] = diagnosis() + by_hand + VERIFY
    write(small_lab, "people")
    command = [*GAMEDAY, "run", "scenario.yaml"]
    with (small_lab.directory / "out").open("wb") as out:
        runner = subprocess.Popen(command, cwd=small_lab.directory, stdout=out, stderr=out)
    try:
        told = small_lab.directory / "out"
        wait_until("it asks", lambda: b"waits for a person" in told.read_bytes(), 60.0)
        shown = run_gameday("step", cwd=small_lab.directory)
        assert "switch the memory on" in shown.stdout, shown
        assert "`gameday step done --step by-hand`" in shown.stdout
        other = run_gameday("step", "done", "--step", "switch", cwd=small_lab.directory)
        assert (other.returncode, "`switch` is not what waits" in other.stderr) == (2, True)
        taken = run_gameday("ack", "BackSlow", cwd=small_lab.directory)
        assert taken.returncode == 0, taken.stderr
        wrong = run_gameday("step", "perhaps", cwd=small_lab.directory)
        assert (wrong.returncode, "done, changed, failed" in wrong.stderr) == (2, True)
        url = f"http://127.0.0.1:{small_lab.front}/memory"
        urllib.request.urlopen(urllib.request.Request(url, b"on", method="POST"), timeout=5).close()
        said = run_gameday(
            "step", "done", "--step", "by-hand", "--note", "at the console",
            cwd=small_lab.directory,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        runner.wait(90)
    finally:
        runner.kill()
        runner.wait(10)

    assert "responder acknowledges: BackSlow" in (small_lab.last_run / "report.md").read_text()
    found = verdicts(small_lab)["people"]
    assert found["facts"]["verdict"] == "manual", told.read_text() + json.dumps(found, indent=1)
    row = steps(found, "mitigate")[0]
    assert (row["answered"], row["passed"]) == ("done", True)
    assert row["ms"] > 0


def shown(lab: Lab) -> str:
    """The step that waits for a person."""
    return run_gameday("step", cwd=lab.directory).stdout


def test_a_stop_ends_the_step_and_still_rolls_back(small_lab: Lab) -> None:
    BOOKS["stopped"] = (
        diagnosis()
        + step("Mitigation", "timeout=60s mutates=true", "touch begun; sleep 50")
        + step("Rollback", "timeout=9s mutates=true approve=true", "touch rolled-back")
        + step("Rollback", "name=by-hand timeout=60s manual=true", "put the cable back")
    )
    write(small_lab, "stopped")
    command = [*GAMEDAY, "run", "scenario.yaml", "--run-runbooks", "-q"]
    quiet = subprocess.DEVNULL
    runner = subprocess.Popen(command, cwd=small_lab.directory, stdout=quiet, stderr=quiet)
    try:
        begun = small_lab.directory / "begun"
        wait_until("the step is under way", begun.exists, 60.0)
        stopped = run_gameday("stop", "enough", cwd=small_lab.directory)
        assert stopped.returncode == 0, stopped.stderr
        wait_until("a person is asked", lambda: "put the cable back" in shown(small_lab), 30.0)
        assert small_lab.well(), "the fault is out before anybody is waited for"
        (small_lab.directory / "runbooks" / "stopped.md").write_text("# edited meanwhile\n")
        told = run_gameday("step", "done", "--step", "by-hand", cwd=small_lab.directory)
        assert told.returncode == 0, told.stderr
        runner.wait(30)
    finally:
        runner.kill()
        runner.wait(10)

    found = verdicts(small_lab)["stopped"]
    assert found["facts"]["verdict"] == "not_assessable"
    assert "run was stopped" in steps(found, "mitigate")[0]["why"]
    assert [row["passed"] for row in steps(found, "rollback")] == [True, True]
    assert (small_lab.directory / "rolled-back").exists()
    small_lab.assert_clean()
