"""`notices` and `tickets` of the project: in the plan, or in none, and never a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.app.planview import show_plan
from gameday.model.notices import Exercise, NoticeMoment, NoticeSpec
from gameday.model.plan import Plan
from gameday.model.secret import SecretRef
from gameday.model.tickets import JiraSpec, ServiceNowSpec
from gameday.scenario.build import read_project
from gameday.scenario.compile import compile_plan
from gameday.scenario.planfile import dump_plan, load_plan, plan_sha256
from tests.unit.scenario.samples import PROJECT, a_project, a_scenario, write_project

NOTICES = {
    "chat": {"url": {"env": "CHAT_URL"}, "environments": ["local"], "detail": "full"},
    "safety": {"url": {"file": "safety.url"}, "environments": ["local"], "at": ["dirty", "dirty"]},
    "elsewhere": {"url": {"env": "ELSE_URL"}, "environments": ["other"]},
}
TOLD = {
    **PROJECT,
    "environments": {**PROJECT["environments"], "other": {}},
    "notices": NOTICES,
}


def planned(folder: Path, data: dict[str, Any] | None = None) -> Plan:
    folder.mkdir(exist_ok=True)
    return compile_plan(a_scenario(), a_project(folder, data), environment="local", seed=7)


def test_a_plan_has_those_of_its_environment(tmp_path: Path) -> None:
    plan = planned(tmp_path, TOLD)

    assert plan.notices == (
        NoticeSpec(
            name="chat", url=SecretRef(env="CHAT_URL"), environments=("local",), detail="full"
        ),
        NoticeSpec(
            name="safety", url=SecretRef(file="safety.url"), environments=("local",), at=("dirty",)
        ),
    )
    assert load_plan(dump_plan(plan)) == plan
    text = show_plan(plan)
    assert "notice chat: told of start, stop, dirty, clear; full" in text
    assert "notice safety: told of dirty; brief" in text
    assert "elsewhere" not in text
    assert "CHAT_URL" not in text


def test_a_plan_that_tells_nobody_is_what_it_was_before(tmp_path: Path) -> None:
    """Its hash too: approvals of it stay valid."""
    bare, told = planned(tmp_path / "a"), planned(tmp_path / "b", TOLD)

    assert "notices" not in json.loads(dump_plan(bare))
    assert load_plan(dump_plan(bare)) == bare
    assert plan_sha256(bare) != plan_sha256(told)
    assert "notice " not in show_plan(bare)


def test_who_cleans_up_reads_the_same_from_the_file(tmp_path: Path) -> None:
    plan = planned(tmp_path, TOLD)
    exercise = Exercise.of(json.loads(dump_plan(plan)), "r1")

    assert exercise.notices == plan.notices
    assert (exercise.run, exercise.environment) == ("r1", "local")
    assert exercise.service == plan.scenario.service
    assert exercise.directory == plan.directory
    phases = plan.scenario.phases
    assert exercise.length_ms == phases.warmup_ms + phases.baseline_ms + phases.fault_ms + (
        phases.recovery_ms
    )
    assert len(exercise.faults) == len(plan.scenario.faults)
    assert [one.name for one in exercise.to(NoticeMoment.CLEAR)] == ["chat"]


JIRA = {"url": "https://example.atlassian.net", "project": "OPS", "token": {"env": "JIRA"}}


@pytest.mark.parametrize(
    ("tickets", "kind"),
    [
        ({"jira": {**JIRA, "kind": "server", "fields": {"priority": {"id": "2"}}}}, JiraSpec),
        (
            {"servicenow": {"url": "http://127.0.0.1:80", "token": {"file": "t"}, "user": "u"}},
            ServiceNowSpec,
        ),
    ],
)
def test_tickets_are_read(tickets: dict[str, Any], kind: type, tmp_path: Path) -> None:
    project = a_project(tmp_path, {**PROJECT, "tickets": tickets})
    assert isinstance(project.tickets, kind)
    if isinstance(project.tickets, JiraSpec):
        assert project.tickets.fields == {"priority": {"id": "2"}}
        assert project.tickets.type == "Bug"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"notices": {"chat": {"url": "slack://a/b/c", "environments": ["local"]}}}, "notice/url"),
        ({"notices": {"chat": {"url": {}, "environments": ["local"]}}}, "secret/place"),
        ({"notices": {"chat": {"url": {"env": "X"}, "environments": []}}}, "value/empty"),
        (
            {"notices": {"chat": {"url": {"env": "X"}, "environments": ["local"], "at": []}}},
            "value/empty",
        ),
        (
            {"notices": {"chat": {"url": {"env": "X"}, "environments": ["local"], "at": ["end"]}}},
            "value/choice",
        ),
        ({"notices": {"chat": {"url": {"env": "X"}}}}, "document/missing-key"),
        ({"tickets": {}}, "ticket/system"),
        (
            {"tickets": {"jira": JIRA, "servicenow": {"url": "https://x", "token": {"env": "T"}}}},
            "ticket/system",
        ),
        ({"tickets": {"jira": {**JIRA, "url": "https://me:pw@example.org"}}}, "value/url"),
        ({"tickets": {"jira": {**JIRA, "url": "http://example.org"}}}, "ticket/address"),
        ({"tickets": {"jira": {**JIRA, "project": 'OPS" OR 1=1'}}}, "value/name"),
        ({"tickets": {"jira": {**JIRA, "fields": {"labels": []}}}}, "ticket/field"),
        ({"tickets": {"jira": {**JIRA, "token": "in the file"}}}, "document/wrong-type"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    part: dict[str, Any], code: str, tmp_path: Path
) -> None:
    write_project(tmp_path, {**PROJECT, **part})
    project, _, found = read_project(tmp_path / "gameday.yaml")
    assert project is None
    assert [one.code for one in found] == [code]
    assert found[0].mark is not None
    assert found[0].hint
    assert "slack://" not in f"{found[0].summary}{found[0].hint}{found[0].source_line}"
