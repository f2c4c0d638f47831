"""From a scenario to a plan: the steps, their order, and the way back from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.errors import ScenarioError, UsageError
from gameday.model.event import ACTION_KINDS, UNDO_OF, Phase
from gameday.model.plan import Plan, Step, When
from gameday.scenario.compile import compile_plan
from gameday.scenario.planfile import dump_plan, load_plan, plan_sha256
from tests.unit.scenario.samples import PROJECT, SCENARIO, a_project, a_scenario, changed


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return compile_plan(a_scenario(), a_project(tmp_path), environment="local", seed=7)


def step(plan: Plan, name: str) -> Step:
    return next(step for step in plan.schedule.steps if step.id == name)


def waits_for(when: When) -> list[str]:
    return [f"{t.kind}:{t.subject}:{t.phase.value}" for t in when.all_of]


def test_the_steps_of_a_run(plan: Plan) -> None:
    assert [step.id for step in plan.schedule.steps] == [
        "target.open:payments", "target.open:redis", "target.open:shop",
        "fault.prepare:late", "fault.prepare:gone",
        "load.start:load",
        "run.phase:warmup", "run.phase:baseline", "check.baseline:baseline",
        "run.phase:fault", "run.phase:recovery", "run.phase:end",
        "fault.inject:late", "fault.revert:late", "fault.inject:gone", "fault.revert:gone",
        "load.stop:load",
        "alert.read:builtin",
        "runbook.read:CheckoutSlow", "runbook.read:runbooks/slow.md",
    ]  # fmt: skip


def test_that_alerts_get_through_is_shown_before_anything_is_touched(tmp_path: Path) -> None:
    servers = {"prometheus": {"url": "http://127.0.0.1:9"}, "pipeline_proof": "watchdog"}
    data = changed(PROJECT, "environments.local.alerts", servers)
    project = a_project(tmp_path, data)
    without = compile_plan(a_scenario(), a_project(tmp_path), environment="local", seed=7)

    proven = compile_plan(a_scenario(), project, environment="local", seed=7)

    assert proven.environment.alerting.watchdog == "Watchdog"
    first = proven.schedule.steps[0]
    assert (first.id, first.required) == ("pipeline.prove:pipeline", True)
    for name in ("target.open:shop", "fault.prepare:late"):
        assert "pipeline.prove:pipeline:ok" in waits_for(step(proven, name).when[0])
    longer_ms = proven.schedule.limits.deadline_ms - without.schedule.limits.deadline_ms
    assert longer_ms == first.limit_ms
    assert load_plan(dump_plan(proven)) == proven


@pytest.mark.parametrize(
    ("name", "expected", "delay_ms", "align_ms"),
    [
        ("target.open:shop", [], 0, 1),
        (
            "fault.prepare:late",
            ["target.open:payments:ok", "target.open:redis:ok", "target.open:shop:ok"],
            0,
            1,
        ),
        ("load.start:load", ["fault.prepare:late:ok", "fault.prepare:gone:ok"], 0, 1),
        ("run.phase:warmup", ["load.start:load:ok"], 0, 1000),
        ("run.phase:baseline", ["run.phase:warmup:noted"], 3_000, 1),
        ("check.baseline:baseline", ["run.phase:baseline:noted"], 30_000, 1),
        ("run.phase:fault", ["check.baseline:baseline:ok"], 0, 1000),
        ("fault.inject:late", ["run.phase:fault:noted"], 0, 1),
        ("fault.revert:late", ["run.phase:fault:noted"], 60_000, 1),
        ("fault.inject:gone", ["run.phase:fault:noted"], 10_000, 1),
        ("fault.revert:gone", ["run.phase:fault:noted"], 30_000, 1),
        ("run.phase:recovery", ["fault.revert:late:ok", "fault.revert:gone:ok"], 0, 1000),
        ("run.phase:end", ["run.phase:recovery:noted"], 60_000, 1),
        ("load.stop:load", ["run.phase:end:noted"], 0, 1),
    ],
)
def test_when_a_step_is_due(
    plan: Plan, name: str, expected: list[str], delay_ms: int, align_ms: int
) -> None:
    found = step(plan, name)
    assert len(found.when) == 1
    assert waits_for(found.when[0]) == expected
    assert (found.when[0].delay_ms, found.align_ms) == (delay_ms, align_ms)


def test_what_is_read_at_the_end_waits_for_any_end_of_what_comes_before(plan: Plan) -> None:
    read, runbook = step(plan, "alert.read:builtin"), step(plan, "runbook.read:CheckoutSlow")
    ends = [Phase.OK, Phase.FAILED, Phase.UNKNOWN]
    assert [waits_for(when) for when in read.when] == [[f"load.stop:load:{end}"] for end in ends]
    assert [waits_for(w) for w in runbook.when] == [[f"alert.read:builtin:{end}"] for end in ends]
    assert runbook.data == {"alert": "CheckoutSlow", "path": "runbooks/slow.md"}
    assert step(plan, "runbook.read:runbooks/slow.md").data["alert"] is None


def test_flags_and_lanes(plan: Plan) -> None:
    steps = plan.schedule.steps
    assert {s.id for s in steps if s.mark} == {s.id for s in steps if s.verb == "run.phase"}
    assert {s.verb for s in steps if s.always} == {"load.stop", "alert.read", "runbook.read"}
    assert {s.verb for s in steps if s.required} == {
        "target.open", "fault.prepare", "load.start", "check.baseline", "fault.inject",
    }  # fmt: skip
    assert {s.verb for s in steps if not s.mark} <= ACTION_KINDS - {"target.close"}
    assert step(plan, "fault.inject:gone").lane == "redis"
    assert step(plan, "fault.revert:gone").lane == "redis"
    assert step(plan, "load.start:load").lane == step(plan, "load.stop:load").lane == "load"


def test_every_inject_has_its_revert_and_later(plan: Plan) -> None:
    for inject in (s for s in plan.schedule.steps if s.verb == "fault.inject"):
        revert = step(plan, f"{UNDO_OF[inject.verb]}:{inject.subject}")
        assert revert.when[0].delay_ms > inject.when[0].delay_ms


def test_limits_leave_room_for_everything(plan: Plan) -> None:
    limits = plan.schedule.limits
    assert limits.revert_for_ms == 90_000
    assert limits.deadline_ms > 3_000 + 30_000 + 60_000 + 60_000 + 55_000 + 90_000
    assert step(plan, "load.start:load").limit_ms == 55_000
    assert step(plan, "load.stop:load").limit_ms == 20_000
    assert step(plan, "check.baseline:baseline").limit_ms == 5_000


def test_what_a_plan_carries(plan: Plan, tmp_path: Path) -> None:
    assert (plan.seed, plan.environment.name, plan.service.tier) == (7, "local", 1)
    assert [alert.name for alert in plan.builtin_alerts] == ["CheckoutSlow"]
    assert plan.directory == str(tmp_path.resolve())
    assert plan.runbook_folders == ("runbooks",)


def test_real_alert_servers_take_the_place_of_the_built_in_alerts(tmp_path: Path) -> None:
    servers = PROJECT["environments"]["real"]["alerts"]
    data = changed(PROJECT, "environments.local.alerts", servers)
    plan = compile_plan(a_scenario(), a_project(tmp_path, data), environment="local", seed=0)
    assert plan.builtin_alerts == ()
    reads = [s for s in plan.schedule.steps if s.verb == "alert.read"]
    assert [(s.subject, s.lane) for s in reads] == [
        ("prometheus", "prometheus"),
        ("alertmanager", "alertmanager"),
    ]
    assert len(step(plan, "runbook.read:CheckoutSlow").when) == 9


def test_a_source_that_lists_late_has_that_much_longer_to_be_read(tmp_path: Path) -> None:
    def reads(delay: str) -> tuple[list[int], int]:
        source: dict[str, Any] = {"preset": "splunk", "url": "http://127.0.0.1:1", "delay": delay}
        source["auth"] = {"headers": {"Authorization": {"env": "KEY"}}}
        servers = {"prometheus": {"url": "http://127.0.0.1:2"}, "http_json": {"splunk": source}}
        data = changed(PROJECT, "environments.local.alerts", servers)
        plan = compile_plan(a_scenario(), a_project(tmp_path, data), environment="local", seed=0)
        steps = [s for s in plan.schedule.steps if s.verb == "alert.read"]
        return [s.limit_ms for s in steps], plan.schedule.limits.deadline_ms

    (prompt, prompt_deadline), (late, late_deadline) = reads("0s"), reads("10m")
    assert prompt == [30_000, 30_000]
    assert late == [30_000, 630_000]
    assert late_deadline - prompt_deadline == 600_000


def test_a_load_target_without_proxy_is_not_opened(tmp_path: Path) -> None:
    data = changed(PROJECT, "environments.local.targets.shop", {"url": "http://127.0.0.1:1"})
    plan = compile_plan(a_scenario(), a_project(tmp_path, data), environment="local", seed=0)
    opened = [s.subject for s in plan.schedule.steps if s.verb == "target.open"]
    assert opened == ["payments", "redis"]


def test_there_is_no_plan_around_the_rules(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    without_stop = a_scenario(changed(SCENARIO, "profiles", {}))
    with pytest.raises(ScenarioError) as refused:
        compile_plan(without_stop, project, environment="reel", seed=0)
    assert [d.code for d in refused.value.diagnostics] == ["project/unknown-environment"]
    with pytest.raises(ScenarioError) as refused:
        compile_plan(without_stop, project, environment="real", seed=0)
    assert {d.code for d in refused.value.diagnostics} == {"target/unknown"}
    unstoppable = a_scenario(changed(SCENARIO, "stop_when", []))
    with pytest.raises(ScenarioError) as refused:
        compile_plan(unstoppable, project, environment="local", seed=0)
    assert [d.code for d in refused.value.diagnostics] == ["scenario/no-stop-condition"]


def test_a_plan_comes_back_from_its_file(plan: Plan) -> None:
    text = dump_plan(plan)
    again = load_plan(text)
    assert again == plan
    assert (dump_plan(again), plan_sha256(again)) == (text, plan_sha256(plan))
    assert "\n" not in text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_same_files_give_the_same_plan(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    one = compile_plan(a_scenario(), project, environment="local", seed=1)
    two = compile_plan(a_scenario(), project, environment="local", seed=1)
    other = compile_plan(a_scenario(), project, environment="local", seed=2)
    assert dump_plan(one) == dump_plan(two)
    assert plan_sha256(one) != plan_sha256(other)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"scenario": 5}', "{not json"])
def test_something_else_is_not_a_plan(text: str) -> None:
    with pytest.raises(UsageError, match="not a plan"):
        load_plan(text)
