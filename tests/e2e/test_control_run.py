"""A control run: the same load and no fault, in which every alert is a false one."""

from __future__ import annotations

import json

from lab_support import Lab, run_gameday
from test_verdicts import finding


def kinds(lab: Lab) -> set[str]:
    lines = (lab.last_run / "journal.jsonl").read_text().splitlines()
    return {json.loads(line)["kind"] for line in lines}


def test_without_a_fault_nothing_fires_and_that_passes(small_lab: Lab) -> None:
    small_lab.write()

    shown = run_gameday("plan", "scenario.yaml", "--control", cwd=small_lab.directory)
    ended = small_lab.run("--control")

    assert "nothing is broken: a control run, without late" in shown.stdout, shown.stderr
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "CONTROL RUN: PASS  back-slow" in ended.stdout
    result = small_lab.result()
    assert result["control"] is True
    assert result["verdict"]["reason"].startswith("control run, no fault was injected: ")
    assert finding(result, "control/quiet")["outcome"] == "pass"
    checks = {f["check"] for f in result["expectations"]}
    assert not checks & {"alert/fired", "alert/delivered", "alert/quiet"}
    assert [n["value"] for n in result["alert_numbers"]] == [0]
    assert not {kind for kind in kinds(small_lab) if kind.startswith("fault.")}
    small_lab.assert_clean()


def test_an_alert_that_fires_on_the_load_alone_fails_it(small_lab: Lab) -> None:
    small_lab.alerts["Chatty"] = {
        "when": "p50 > 0ms over 2s for 1s",
        "labels": {"severity": "page", "service": "front"},
        "receiver": "pager",
    }
    small_lab.write({"expect": {"alerts": [{"alert": "Chatty", "fires_within": "6s"}]}})

    ended = small_lab.run("--control")

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Chatty fired without a fault" in ended.stdout
    result = small_lab.result()
    assert finding(result, "control/quiet", "Chatty")["outcome"] == "fail"
    numbers = {n["name"]: n["value"] for n in result["alert_numbers"]}
    assert numbers == {"false_pages": 1}
    small_lab.assert_clean()
