"""Readiness from real runs: one version that passed, and the next one that did not."""

from __future__ import annotations

import json
from pathlib import Path

from lab_support import Lab, run_gameday

SERVICE = """\
gameday_service: 1
service: front
owner: team-front
dependencies: [back]
failure_modes:
  dependency-slow: {scenario: back-slow, alert: BackSlow, within: 6s}
  dependency-down: {not_applicable: the lab has no such fault}
alerts: {BackSlow: runbooks/back.md}
rollback: back-slow
not_applicable: {runbook_coverage: the runbook of the lab is a draft}
"""
POLICY = """\
gameday_readiness: 1
tiers:
  tier-2:
    alerts: {fresh: 90d, modes: [dependency-slow], version: same}
    scenarios: {version: same}
    rollback: {version: same, within: 10s}
    slo: {version: same}
    findings: {required: false}
"""


def readiness(lab: Lab, version: str, *more: str) -> tuple[int, dict]:
    ended = run_gameday(
        "readiness", "front", "--version", version, "--json", *more, cwd=lab.directory
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def states(found: dict) -> dict[str, str]:
    return {part["item"]: part["state"] for part in found["items"]}


def test_a_version_that_passed_is_ready_and_the_next_that_failed_is_not(small_lab: Lab) -> None:
    small_lab.write()
    folder = small_lab.directory / "readiness"
    (folder / "services").mkdir(parents=True)
    (folder / "services" / "front.yaml").write_text(SERVICE)
    (folder / "policy.yaml").write_text(POLICY)
    code, found = readiness(small_lab, "1.0.0")
    assert (code, found["answer"]) == (3, "NOT ENOUGH EVIDENCE")
    command = "gameday run scenario.yaml --service-version 1.0.0"
    assert command in [change["command"] for change in found["changes"]]

    passed = small_lab.run("--service-version", "1.0.0")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert small_lab.result()["service_version"] == "1.0.0"
    code, found = readiness(small_lab, "1.0.0", "--html", "ready.html")
    assert (code, found["answer"]) == (0, "GO"), found["reason"]
    assert {s for s in states(found).values()} == {"met", "not_applicable"}
    assert states(found)["alerts"] == "met"
    assert found["runs_counted"] == 1
    assert "back-slow" in Path(small_lab.directory, "ready.html").read_text()
    assert readiness(small_lab, "1.1.0")[0] == 3

    small_lab.write({"expect": {"fault": ["p50 < 20ms"]}})
    failed = small_lab.run("--service-version", "1.1.0")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    code, found = readiness(small_lab, "1.1.0")
    assert (code, found["answer"]) == (1, "NO-GO")
    assert states(found)["scenarios"] == "not_met"
    assert states(found)["alerts"] == "met"
    assert readiness(small_lab, "1.0.0")[0] == 0
    small_lab.assert_clean()
