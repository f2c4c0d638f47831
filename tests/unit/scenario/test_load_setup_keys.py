"""Setup and teardown as they are written: what they capture is known in journeys, and no number."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.scenario.compile import compile_plan
from gameday.scenario.sample import requests, subjects
from tests.unit.scenario.samples import SCENARIO, a_project, a_scenario, changed
from tests.unit.scenario.test_lint import codes, lints

LOGIN = {"post": "/sessions", "json": {"user": "gameday"}, "capture": {"token": {"json": "id"}}}
LOGOUT = {"delete": "/sessions/{{ token }}"}
USES = {"get": "/products", "headers": {"X-Token": "{{ token }}"}}


def written(
    setup: Any = (LOGIN,), teardown: Any = (LOGOUT,), uses: Any = USES, **more: Any
) -> dict[str, Any]:
    data = changed(SCENARIO, "load.setup", list(setup))
    data = changed(data, "load.teardown", list(teardown))
    data = changed(data, "load.journeys.browse.steps", [uses])
    for key, value in more.items():
        data = changed(data, f"load.{key}", value)
    return data


def wrong(data: dict[str, Any]) -> list[str]:
    return [one.code for one in lints(data) if one.code.startswith(("load/", "secret/"))]


def test_what_setup_captures_is_known_in_journeys_and_in_teardown() -> None:
    assert wrong(written()) == []
    load = a_scenario(written()).load
    assert [step.method for step in (*load.setup, *load.teardown)] == ["POST", "DELETE"]
    assert load.setup[0].capture["token"].json == "id"


#: What is wrong with it -> what is written.
WRONG: dict[str, dict[str, Any]] = {
    "load/value": {"setup": ()},
    "load/method": {"setup": ({**LOGIN, "get": "/x"},)},
    "load/capture": {"data": {"token": {"csv": "x.csv", "column": "id"}}},
}


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_is_said(code: str) -> None:
    found = wrong(written(**WRONG[code]))
    assert code in found
    assert "load/unbounded-name" not in found


def test_a_value_is_not_known_before_it_is_captured() -> None:
    early = written(setup=({"get": "/{{ token }}"}, LOGIN))
    assert [(o.code, o.mark.line if o.mark else 0) for o in lints(early) if o.code == "load/value"]
    of_data = written(
        setup=({"get": "/{{ sku }}"}, LOGIN), data={"sku": {"csv": "x.csv", "column": "id"}}
    )
    assert "load/value" in codes(lints(of_data))  # data is drawn for each visit


def test_they_belong_to_journeys() -> None:
    data = changed(changed(written(), "load.journeys", ...), "load.locustfile", "load.py")
    assert wrong(data).count("load/journeys-only") == 2


def test_their_requests_are_in_no_number() -> None:
    load = a_scenario(written()).load
    bare = a_scenario(written(setup=(), teardown=(), uses={"get": "/products"})).load
    assert subjects(load) == subjects(bare)
    assert requests(load, None, 10_000) == requests(bare, None, 10_000)


def test_a_secret_in_their_headers_is_warned_of() -> None:
    login = {**LOGIN, "headers": {"Authorization": "Bearer x"}}
    assert "secret/in-file" in wrong(written(setup=(login,)))


def test_the_load_has_time_for_them(tmp_path: Any) -> None:
    def limits(data: dict[str, Any]) -> dict[str, int]:
        plan = compile_plan(a_scenario(data), a_project(tmp_path), environment="local", seed=1)
        steps = {step.id: step.limit_ms for step in plan.schedule.steps}
        deadline_ms = plan.schedule.limits.deadline_ms
        return {**steps, "deadline": deadline_ms}

    plain = limits(written(setup=(), teardown=(), uses={"get": "/products"}))
    more = limits(written(setup=(LOGIN, {"get": "/warm"})))
    timeout_ms = a_scenario(written()).load.timeout_ms
    assert more["load.start:load"] - plain["load.start:load"] == 2 * timeout_ms
    assert more["load.stop:load"] - plain["load.stop:load"] == timeout_ms
    assert more["deadline"] - plain["deadline"] == 3 * timeout_ms
