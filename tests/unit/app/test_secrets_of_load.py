"""Secrets of a scenario are read when a run needs them, and are in nothing that is stored."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from gameday.app.check import PlanRequest, load_of, make_plan
from gameday.app.preflight import look_around
from gameday.app.stored import text_without_secrets, without_secrets
from gameday.errors import RefusedError, ScenarioError
from gameday.journal import Journal, read
from gameday.model.event import Event
from gameday.scenario.planfile import dump_plan, load_plan
from gameday.secrets import masked

SECRET = "s3cr3t-of-the-load"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    targets = {
        "shop": {"url": "http://127.0.0.1:9"},
        "pay": {"proxy": "pay", "listen": "127.0.0.1:18801", "upstream": "127.0.0.1:9"},
    }
    receiver = {"token": {"file": "token"}}
    local = {"targets": targets, "receiver": receiver}
    project = {"gameday": 1, "environments": {"local": local}}
    header = {"Authorization": {"env": "SHOP_TOKEN", "prefix": "Bearer "}}
    step = {"get": "/", "headers": header}
    made = {
        "gameday": 1, "id": "x", "title": "x", "service": "shop", "owner": "team",
        "hypothesis": "It holds.",
        "load": {
            "target": "shop", "arrivals": "50/s", "journeys": {"look": {"steps": [step]}},
        },
        "phases": {"baseline": "5s", "fault": "5s", "recovery": "5s"},
        "faults": [{"id": "down", "target": "pay", "down": True}],
        "expect": {"baseline": ["errors < 10%"], "fault": ["errors < 10%"]},
        "stop_when": ["errors > 90% for 5s"],
    }  # fmt: skip
    (tmp_path / "gameday.yaml").write_text(yaml.safe_dump(project))
    (tmp_path / "token").write_text("tok3n-of-the-receiver\n")
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def test_the_header_is_sent_and_is_in_no_plan(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    plan = make_plan(PlanRequest(path=scenario))

    (journey,) = load_of(plan).journeys
    assert journey.steps[0].headers == {"Authorization": f"Bearer {SECRET}"}

    assert SECRET not in dump_plan(plan)
    assert SECRET not in dump_plan(without_secrets(plan))
    assert SECRET not in text_without_secrets(scenario.read_text())
    with Journal.open(tmp_path / "journal.jsonl") as journal:
        said = {"error": f"401 for Bearer {SECRET}", "nested": [{"a": SECRET}]}
        journal.append(Event(seq=0, at_ms=0, kind="run.error", subject="x", data=said))
    text = (tmp_path / "journal.jsonl").read_text()
    assert SECRET not in text
    assert "Bearer ***" in text
    assert read(tmp_path / "journal.jsonl").problem is None


def test_a_secret_that_is_missing_refuses_the_run_by_the_name_of_its_place(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    plan = make_plan(PlanRequest(path=scenario))
    with pytest.raises(RefusedError, match="SHOP_TOKEN"):
        load_of(plan)
    looked = look_around(plan, reports=tmp_path / "reports")
    assert any("SHOP_TOKEN" in problem for problem in looked.problems)


def with_auth(scenario: Path, auth: dict[str, object]) -> Path:
    made = yaml.safe_load(scenario.read_text())
    made["load"]["auth"] = auth
    made["load"]["journeys"] = {"look": {"steps": [{"get": "/"}]}}
    scenario.write_text(yaml.safe_dump(made))
    return scenario


@pytest.mark.parametrize(
    ("auth", "encoded"),
    [
        ({"bearer": {"env": "SHOP_TOKEN"}}, SECRET),
        (
            {"basic": {"user": "anna", "password": {"env": "SHOP_TOKEN"}}},
            base64.b64encode(f"anna:{SECRET}".encode()).decode(),
        ),
    ],
)
def test_what_authenticates_is_read_and_is_in_nothing_that_is_stored(
    scenario: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    auth: dict[str, object],
    encoded: str,
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    plan = make_plan(PlanRequest(path=with_auth(scenario, auth)))

    loaded = load_of(plan).auth
    assert loaded is not None
    assert SECRET in (loaded.bearer, loaded.password)

    for text in (dump_plan(plan), dump_plan(without_secrets(plan)), masked(f"sent {encoded}")):
        assert SECRET not in text
        assert encoded not in text
    assert load_plan(dump_plan(plan)) == plan
    looked = look_around(plan, reports=tmp_path / "reports")
    assert not [problem for problem in looked.problems if "SHOP_TOKEN" in problem]
    monkeypatch.delenv("SHOP_TOKEN")
    with pytest.raises(RefusedError, match="SHOP_TOKEN"):
        load_of(plan)


def test_a_password_in_the_file_is_refused(scenario: Path) -> None:
    with pytest.raises(ScenarioError, match="bearer"):
        make_plan(PlanRequest(path=with_auth(scenario, {"bearer": SECRET})))
