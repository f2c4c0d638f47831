"""No secret of a plan reaches the run directory, and what is stored can still be judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.app.check import PlanRequest, load_of, make_plan
from gameday.app.stored import text_without_secrets, without_secrets
from gameday.scenario.planfile import dump_plan, load_plan

PROJECT = """\
gameday: 1
environments:
  local:
    targets:
      shop: {url: "http://127.0.0.1:8000"}
      payments: {proxy: payments, listen: "127.0.0.1:18080", upstream: "127.0.0.1:8081"}
    alerts:
      prometheus: {url: "http://127.0.0.1:9090"}
      alertmanager: {url: "http://127.0.0.1:9093"}
    receiver: {listen: "127.0.0.1:0", token: hunter2-is-the-token}
services:
  shop: {tier: 1}
"""
SCENARIO = """\
gameday: 1
id: slow
title: Payments answers late
service: shop
owner: team-checkout
hypothesis: The shop stays fast.
load:
  target: shop
  arrivals: 100/s
  LOAD
phases: {baseline: 10s, fault: 20s, recovery: 10s}
faults: [{id: late, target: payments, toxic: {type: latency, latency: 800ms}}]
expect: {baseline: [errors < 1%], fault: [errors < 2%]}
stop_when: [errors > 50% for 10s]
"""
JOURNEY = (
    "journeys: {buy: {steps: [{get: /, "
    'headers: {Authorization: "Bearer hunter2", Accept: text/html}}]}}'
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "gameday.yaml").write_text(PROJECT)
    return tmp_path


def test_the_stored_plan_holds_no_secret_and_everything_else(directory: Path) -> None:
    (directory / "scenario.yaml").write_text(SCENARIO.replace("LOAD", JOURNEY))
    plan = make_plan(PlanRequest(path=directory / "scenario.yaml"))
    assert "hunter2" in dump_plan(plan), "the test must have something to find"

    text = dump_plan(without_secrets(plan))

    assert "hunter2" not in text
    stored = load_plan(text)
    assert stored.schedule == plan.schedule
    assert stored.scenario.load.journeys[0].steps[0].headers["Accept"] == "text/html"
    assert stored.environment.receiver_token == "***"


HTTP = """\
faults:
  - id: flag
    target: payments
    http:
      inject: {post: "http://127.0.0.1:9/x", headers: {Authorization: hunter2, Cookie: {env: C}}}
      revert: {delete: "http://127.0.0.1:9/x", headers: {x-api-key: hunter2, Accept: a}}
      present: {get: "http://127.0.0.1:9/x"}
  - id: bridge
    target: payments
    python:
      inject: {module: a, func: b, secrets: {token: hunter2, other: {file: secrets/o}}}
      revert: {module: a, func: c}
      present: {module: a, func: d}
"""


def test_the_stored_plan_holds_no_secret_of_a_call(directory: Path) -> None:
    text = SCENARIO.replace("LOAD", JOURNEY)
    faults = next(line for line in text.splitlines(keepends=True) if line.startswith("faults:"))
    (directory / "scenario.yaml").write_text(text.replace(faults, HTTP))
    plan = make_plan(PlanRequest(path=directory / "scenario.yaml"))
    assert dump_plan(plan).count("hunter2") == 5

    stored = dump_plan(without_secrets(plan))

    assert "hunter2" not in stored
    flag, bridge = (fault.action for fault in load_plan(stored).scenario.faults)
    assert flag is not None
    assert bridge is not None
    assert flag.options["inject"]["headers"] == {"Authorization": "***", "Cookie": {"env": "C"}}
    assert flag.options["revert"]["headers"] == {"x-api-key": "***", "Accept": "a"}
    assert bridge.options["inject"]["secrets"] == {
        "token": "***",
        "other": {"file": "secrets/o"},
    }


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        ('{Authorization: "Bearer hunter2", Accept: x}', '{Authorization: "***", Accept: x}'),
        ("  Authorization: Bearer hunter2", '  Authorization: "***"'),
        ("{'X-Api-Key': 'hunter2'}", "{'X-Api-Key': \"***\"}"),
        ("headers: {cookie: hunter2}", 'headers: {cookie: "***"}'),
        ("owner: team-authorization", "owner: team-authorization"),
        ('{Cookie: {env: C, prefix: "a="}}', '{Cookie: {env: C, prefix: "a="}}'),
        ("Cookie:\n  file: secrets/c", "Cookie:\n  file: secrets/c"),
        ("Cookie:\n  hunter2", 'Cookie:\n  "***"'),
    ],
)  # fmt: skip
def test_the_stored_scenario_holds_no_header_that_authenticates(line: str, stored: str) -> None:
    assert text_without_secrets(line) == stored


def test_a_locustfile_is_found_from_the_folder_of_the_project(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "load.py").write_text("")
    (directory / "scenario.yaml").write_text(SCENARIO.replace("LOAD", "locustfile: load.py"))
    monkeypatch.chdir("/")

    plan = make_plan(PlanRequest(path=directory / "scenario.yaml"))

    assert load_of(plan).locustfile == str(directory / "load.py")
