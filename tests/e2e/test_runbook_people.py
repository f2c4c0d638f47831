"""What people do about runbooks in a run: approve, refuse, are silent, escalate late or in time."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from lab_support import GAMEDAY, Lab, run_gameday, wait_until
from test_runbook_proof import ROLLBACK, SWITCH, VERIFY, diagnosis, step, steps, verdicts

CALL = "Call whoever owns the back service."


def limited(after: str, body: str) -> str:
    return f"---\nescalation: {{to: team-back, after: {after}}}\n---\n\n{body}"


def approved(name: str, script: str, timeout: str = "40s") -> str:
    return step("Mitigation", f"name={name} approve=true mutates=true timeout={timeout}", script)


def call(name: str, timeout: str = "40s") -> str:
    return step("Escalation", f"name={name} manual=true timeout={timeout}", CALL)


#: In turn, for one fault: the last one helps.
BOOKS = {
    "late": limited(
        "500ms",  # its diagnosis alone waits for longer
        diagnosis()
        + step("Mitigation", "name=try timeout=5s mutates=true", "false")
        + call("at-last"),
    ),
    "refused": limited(
        "10m", diagnosis() + approved("risky", "touch landed-refused") + call("soon")
    ),
    "silent": limited(
        "10m", diagnosis() + approved("unseen", "touch landed-silent", "2s") + call("alone", "2s")
    ),
    "approved": diagnosis() + approved("go", SWITCH.format("on", "memory")) + VERIFY + ROLLBACK,
}


def write(lab: Lab) -> None:
    lab.environment = {"commands": ["bash"]}
    books = [
        {"path": f"runbooks/{name}.md", "prove": True, "restores_within": "10s"} for name in BOOKS
    ]
    lab.write(
        {
            "phases": {"warmup": "1s", "baseline": "4s", "fault": "150s", "recovery": "7s"},
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
        }
    )
    for name, text in BOOKS.items():
        title = "" if text.startswith("---") else f"# {name}\n\n"
        (lab.directory / "runbooks" / f"{name}.md").write_text(title + text)


def asked(lab: Lab, name: str) -> bool:
    """Whether the run waits for a person at this step, or did."""
    text = (lab.last_run / "journal.jsonl").read_text()
    kinds = (json.loads(line) for line in text.splitlines() if '"runbook.asked"' in line)
    return name in {event["subject"] for event in kinds}


def answer(lab: Lab, name: str, *said: str) -> None:
    wait_until(f"`{name}` waits for somebody", lambda: asked(lab, name), 60.0)
    done = run_gameday("step", *said, "--step", name, cwd=lab.directory)
    assert done.returncode == 0, done.stderr


def act(lab: Lab) -> None:
    """What the responder does, from the alert to the mitigation."""
    wait_until("a run is under way", lambda: any(lab.directory.glob("reports/*/journal.jsonl")), 60)
    wait_until("it asks", lambda: asked(lab, "at-last"), 60.0)
    assert run_gameday("ack", "BackSlow", cwd=lab.directory).returncode == 0
    assert CALL in run_gameday("step", cwd=lab.directory).stdout
    unknown = run_gameday("opened", "nothing", cwd=lab.directory)
    assert (unknown.returncode, "runbooks/late.md" in unknown.stderr) == (2, True)
    assert run_gameday("opened", "silent", cwd=lab.directory).returncode == 0
    answer(lab, "at-last", "done")
    answer(lab, "risky", "failed", "--note", "not in business hours")
    answer(lab, "soon", "done")
    answer(lab, "go", "done")


def test_people_approve_refuse_and_escalate(small_lab: Lab) -> None:
    write(small_lab)
    out = small_lab.directory / "out"
    command = [*GAMEDAY, "run", "scenario.yaml", "--run-runbooks"]
    with out.open("wb") as told:
        runner = subprocess.Popen(command, cwd=small_lab.directory, stdout=told, stderr=told)
    try:
        act(small_lab)
        runner.wait(120)
    finally:
        runner.kill()
        runner.wait(10)

    found = verdicts(small_lab)
    seen = out.read_text() + json.dumps(found, indent=1)
    escalations(found, seen)
    approvals(small_lab, found, seen)
    ladder(small_lab)
    small_lab.assert_clean()


def escalations(found: dict[str, dict[str, Any]], seen: str) -> None:
    """Late, in time, and never."""
    late, soon, never = (found[name]["facts"] for name in ("late", "refused", "silent"))
    assert late["escalated_after_ms"] > late["escalate_within_ms"] == 500, seen
    assert any("too late: it says 500 ms" in note for note in late["notes"]), late["notes"]
    assert 0 < soon["escalated_after_ms"] <= soon["escalate_within_ms"] == 600_000, seen
    assert any("in time: it says 10 min" in note for note in soon["notes"]), soon["notes"]
    assert never["escalated_after_ms"] is None
    assert any("it was not escalated" in note for note in never["notes"]), never["notes"]
    assert found["late"]["facts"]["verdict"] == "mitigation_ineffective"


def approvals(lab: Lab, found: dict[str, dict[str, Any]], seen: str) -> None:
    """What was not approved was not run, whoever said nothing or no."""
    refused, silent, went = (found[name] for name in ("refused", "silent", "approved"))
    assert (refused["facts"]["verdict"], refused["outcome"]) == ("not_assessable", "inconclusive")
    assert "not approved: they said it failed: not in business hours" in refused["summary"], seen
    assert "not approved: nobody answered within 2 s" in silent["summary"], seen
    [row] = steps(silent, "mitigate")
    assert 2_000 <= row["ms"] < 30_000, "its limit was waited for"
    assert not list(lab.directory.glob("landed-*"))
    assert went["outcome"] == "pass", seen
    assert [row["passed"] for row in steps(went, "mitigate")] == [True]


def ladder(lab: Lab) -> None:
    """Who took the alert, and when its runbook was opened."""
    [ladder] = lab.result()["ladders"]
    rungs = {rung["name"]: rung for rung in ladder["rungs"]}
    taken, opened = rungs["acknowledged"], rungs["runbook_opened"]
    assert (taken["state"], taken["source"], taken["what"]) == ("measured", "by hand", "responder")
    assert opened["state"] == "measured"
    assert opened["what"] == "`runbooks/late.md`, responder: a step was looked at"
    assert taken["since_ms"] <= opened["since_ms"] <= rungs["mitigated"]["since_ms"]
    report = (lab.last_run / "report.md").read_text()
    assert "| alert acknowledged |" in report
    assert "by hand: responder" in report
    assert "responder has runbook `runbooks/silent.md` open" in report
