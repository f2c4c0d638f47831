"""Steps of a runbook as they are read into a plan, and as they are run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from runbook_support import acts, block, first, planned, run

from gameday.adapters.runbook_run import json_problem, label_variables
from gameday.app.check import PlanRequest, make_plan
from gameday.errors import NoEffectError
from gameday.model.event import Event, Phase

SHOW = "env | grep -a GAMEDAY_ | sort"


def test_an_alert_that_attacks_is_only_text_in_variables(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = tmp_path / "evil.md"
    evil.write_text(f"# Evil\n\n## Diagnosis\n\n{block(f'touch {canary}')}")
    plan = planned(tmp_path, block(SHOW))
    for url in (f"file://{evil}", "../evil.md", str(evil), "http://169.254.169.254/evil.md"):
        attack = Event(
            kind="alert.delivered",
            subject="Slow",
            data={
                "labels": {
                    "severity": f"$(touch {canary})",
                    "a;b": f"`touch {canary}`",
                    "x\ny": f"'; touch {canary}; '\ntouch {canary}",
                    "PATH": "/evil",
                    "nul": "a\0b",
                },
                "annotations": {"runbook_url": url},
            },
        )

        said = first(plan, acts(plan, attack))

        assert said["passed"] is True, said
        assert f"GAMEDAY_LABEL_SEVERITY=$(touch {canary})" in said["output"]
        assert "GAMEDAY_LABEL_PATH=/evil" in said["output"]
        assert "GAMEDAY_LABEL_NUL=ab" in said["output"]
        assert "evil.md" not in said["output"]
        assert not canary.exists()


def test_labels_are_limited_in_number_length_and_name() -> None:
    made = label_variables("A", {f"l{n}": "x" * 5_000 for n in range(500)} | {"BASH_ENV": "/evil"})

    assert len(made) <= 65
    assert max(len(value) for value in made.values()) <= 1_000
    assert all(name == "GAMEDAY_ALERT" or name.startswith("GAMEDAY_LABEL_") for name in made)


def test_a_runbook_that_was_changed_since_it_was_planned_is_refused(tmp_path: Path) -> None:
    plan = planned(tmp_path, block("true"))
    (tmp_path / "runbooks" / "slow.md").write_text(f"# Slow\n\n## Diagnosis\n\n{block('touch x')}")

    with pytest.raises(NoEffectError, match="not what it was"):
        first(plan, acts(plan))


def test_nothing_outside_of_the_project_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text(f"# Slow\n\n## Diagnosis\n\n{block('true')}")
    project = tmp_path / "project"
    project.mkdir()
    planned(project, block("true"))
    (project / "runbooks" / "slow.md").unlink()
    (project / "runbooks" / "slow.md").symlink_to(outside)

    plan = make_plan(PlanRequest(path=project / "scenario.yaml"))

    assert plan.runbooks[0].problem
    assert not [s for s in plan.schedule.steps if s.verb == "runbook.step"]


@pytest.mark.parametrize(
    ("script", "attributes", "word"),
    [
        ("curl -X POST http://x/y", "phase=mitigate", "does not say so"),
        ("rm -rf /srv/x", "phase=verify", "does not say so"),
        ("curl -X POST http://x/y", "mutates=true", "in the diagnosis"),
        ("true", "mutates=true", "in the diagnosis"),
    ],
)
def test_what_changes_something_where_it_must_not_is_unsafe(
    tmp_path: Path, script: str, attributes: str, word: str
) -> None:
    plan = planned(tmp_path, block("true") + block(script, f"name=bad {attributes}"))

    assert word in plan.runbooks[0].unsafe
    assert not [s for s in plan.schedule.steps if s.verb.startswith("runbook.step")]


def test_what_cannot_be_run_is_said_in_the_plan(tmp_path: Path) -> None:
    prose = planned(tmp_path, "```bash\ntrue\n```\n")
    assert "has attributes" in prose.runbooks[0].problem
    sql = planned(tmp_path, "```sql {name=x timeout=5s}\nselect 1\n```\n")
    assert "`sql` cannot be run" in sql.runbooks[0].problem
    twice = planned(tmp_path, block("true") * 2)
    assert "two steps are called `look`" in twice.runbooks[0].problem
    not_allowed = planned(tmp_path, block("true"), commands="ls")
    assert "`bash` is not in the `commands`" in not_allowed.runbooks[0].blocked
    for name in ("LD_PRELOAD", "PATH", "BASH_ENV", "GAMEDAY_RUN"):
        front = f"---\nparams: {{{name}: {{default: x}}}}\n---\n"
        assert name in planned(tmp_path, block("true"), front=front).runbooks[0].problem
    open_ = planned(tmp_path, block("true"), front="---\nparams: {A: {required: true}}\n---\n")
    assert "`A` has no value" in open_.runbooks[0].problem
    given = planned(tmp_path, block("true"), front="---\nparams: {A: {default: 7}}\n---\n")
    assert (given.runbooks[0].problem, given.runbooks[0].params) == ("", {"A": "7"})


def test_the_option_is_a_part_of_the_plan(tmp_path: Path) -> None:
    from gameday.scenario.planfile import dump_plan, load_plan, plan_sha256

    plan = planned(tmp_path, block("true"))
    allowed = make_plan(PlanRequest(path=tmp_path / "scenario.yaml", run_runbooks=True))

    assert plan_sha256(plan) != plan_sha256(allowed)
    assert load_plan(dump_plan(allowed)) == allowed
    older = json.loads(dump_plan(plan))
    for key in ("runbooks", "run_runbooks"):
        del older[key]
    assert load_plan(json.dumps(older)).runbooks == ()


def test_what_a_step_expects(tmp_path: Path) -> None:
    assert run(tmp_path, "echo ok").passed is True
    assert run(tmp_path, "false; echo ok").passed is False
    assert run(tmp_path, "false | true").passed is False
    assert run(tmp_path, 'echo "$NOT_THERE"').passed is False
    assert run(tmp_path, "exit 3", expect_exit=3).passed is True
    assert run(tmp_path, "echo late 7", expect_stdout="^late [5-9]").passed is True
    answer = """echo '{"errors": 7, "state": "open", "all": []}'"""
    for text, good in (
        ("errors > 5", True), ("errors < 5", False), ("state == open", True),
        ("state == 'shut'", False), ("all", False), ("length(all) == 0", True),
    ):  # fmt: skip
        assert run(tmp_path, answer, expect_json=text).passed is good, text
    assert run(tmp_path, "echo no", expect_json="errors").passed is False
    assert json_problem("errors >")
    assert not json_problem("errors > 5")


def test_a_step_is_tried_until_it_answers_as_wanted(tmp_path: Path) -> None:
    text = "echo x >> tries; [ $(wc -l < tries) -ge 3 ]"

    answer = run(tmp_path, text, retry_ms=10, timeout_ms=20_000)

    assert (answer.passed, answer.tries) == (True, 3)


def test_a_step_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    begun = time.monotonic()

    answer = run(tmp_path, "(sleep 30; touch landed) & sleep 30", timeout_ms=500)

    assert (answer.passed, answer.exit) == (False, None)
    assert time.monotonic() - begun < 15
    assert not (tmp_path / "landed").exists()


def test_what_it_prints_is_cut_and_secrets_are_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gameday.secrets import remember

    remember("hunter2-hunter2")
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")

    answer = run(
        tmp_path, f"{sys.executable} -c 'print(\"y\" * 3_000_000)'; echo hunter2-hunter2; env"
    )

    assert len(answer.output) <= 2_100
    assert "hunter2" not in answer.output
    assert "SECRET_OF_THE_SHELL" not in answer.output


def test_a_step_waits_for_a_person_and_not_for_ever(tmp_path: Path) -> None:
    by_hand = "```text {name=by-hand phase=diagnose manual=true timeout=1s}\nlook\n```\n"
    plan = planned(tmp_path, by_hand)
    asked: list[Event] = []
    done = acts(plan)
    step = next(s for s in plan.schedule.steps if s.verb == "runbook.step")

    said = done.step(step, asked.append)

    assert (said["passed"], said["why"]) == (None, "nobody answered within 1 s")
    assert [(e.kind, e.phase) for e in asked] == [("runbook.asked", Phase.NOTED)]
    assert done.waiting() == {}


@pytest.mark.parametrize(
    ("script", "changes"),
    [
        ("curl -d x http://a/admin", True),
        ("curl -fsSd x http://a/admin", True),
        ("curl --json '{}' http://a/admin", True),
        ("curl -F f=@x http://a/admin", True),
        ("curl -T x http://a/admin", True),
        ("wget --post-data=x http://a/admin", True),
        ("curl -G -d q=1 http://a/search", False),
        ("curl -d query=up http://a/api/v1/query", False),
        ("curl -fsS -o /dev/null http://a/healthz", False),
    ],
)
def test_what_is_sent_counts_as_a_change_also_without_a_method(
    tmp_path: Path, script: str, changes: bool
) -> None:
    assert bool(planned(tmp_path, block(script)).runbooks[0].unsafe) is changes
