"""Runs as evidence: read from the results that are published, and never more than they say."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameday.app.readiness_runs import RunsFound, runs_of
from gameday.app.readiness_unfinished import NOTES_MAX
from gameday.journal import Journal
from gameday.model.alerting import AlertWord
from gameday.model.event import Event
from gameday.model.readiness import ReadyItem as Item
from gameday.model.readiness import ReadyState as State
from gameday.model.verdict import Outcome, RunStatus
from tests.readiness_support import VERSION, answer, days_ago, evidence, part, runs

GOLDEN = Path(__file__).parents[2] / "golden" / "reports"
KINDS = ("passed", "failed", "stopped", "dirty", "invalid", "incomplete")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        shutil.copy(GOLDEN / kind / "result.json", tmp_path / kind)
    return tmp_path


def golden(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / kind / "result.json").read_text())
    return found


def write(store: Path, kind: str, raw: Any) -> None:
    (store / kind / "result.json").write_text(json.dumps(raw))


def only(store: Path, kind: str) -> None:
    for other in KINDS:
        if other != kind:
            shutil.rmtree(store / other)


def test_each_golden_run_is_read_as_what_it_was(store: Path) -> None:
    for kind in KINDS:  # they are all of one run; ids of their own make them several
        write(store, kind, {**golden(kind), "run_id": kind})

    found = runs_of(golden("passed")["scenario"]["service"], [store])

    assert not found.notes
    runs = {run.id: run for run in found.runs}
    assert set(runs) == set(KINDS)
    assert {kind for kind, run in runs.items() if run.valid} == {"passed", "failed"}
    assert runs["passed"].outcome is Outcome.PASS
    assert runs["failed"].outcome is Outcome.FAIL
    assert runs["stopped"].status is RunStatus.STOPPED
    assert not runs["dirty"].clean
    passed = runs["passed"]
    assert passed.baseline is not None
    assert (passed.baseline.n, passed.baseline.good) == (1000, 1000)
    assert {one.word for one in passed.alerts} == {AlertWord.CAUGHT}
    assert passed.undone_ms == 35
    assert runs["dirty"].undone_ms is None
    assert passed.version == ""


def test_version_and_kind_of_environment_are_those_of_the_run(store: Path) -> None:
    only(store, "passed")
    raw = {**golden("passed"), "service_version": "2.4.1", "environment": "blue"}
    write(store, "passed", raw)
    (store / "passed" / "plan.json").write_text(json.dumps({"environment": {"kind": "production"}}))

    (run,) = runs_of(raw["scenario"]["service"], [store]).runs

    assert (run.version, run.environment, run.kind) == ("2.4.1", "blue", "production")


def test_a_run_is_counted_once_and_other_services_are_not_looked_at(store: Path) -> None:
    service = golden("passed")["scenario"]["service"]

    assert len(runs_of(service, [store, store]).runs) == 1
    assert not runs_of("another", [store]).runs


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"schema": 99}', '{"schema": 1, "scenario": []}', "null", "[" * 9999],
)
def test_what_cannot_be_read_is_told_and_counts_for_nothing(store: Path, text: str) -> None:
    only(store, "passed")
    (store / "passed" / "result.json").write_text(text)

    found = runs_of("shop", [store])

    assert not found.runs
    assert "cannot be read" in found.notes[0]


@pytest.mark.parametrize("key", ["verdict", "alerts", "phases", "expectations", "safety", "faults"])
@pytest.mark.parametrize("value", [None, 5, "x", [{}], {"outcome": "great"}])
def test_a_damaged_result_never_passes(store: Path, key: str, value: object) -> None:
    only(store, "passed")
    write(store, "passed", {**golden("passed"), key: value})

    found = runs_of(golden("passed")["scenario"]["service"], [store])

    assert not found.runs
    assert found.notes


def died(store: Path, name: str = "20261119T100000Z-payments-slow-dead", **more: Any) -> Path:
    """What a runner that was killed leaves: a plan, and a journal that ends in the middle."""
    where = store / name
    where.mkdir()
    plan = {
        "scenario": {"id": "dependency-slow", "service": "shop", "profile": ""},
        "environment": {"name": "staging", "kind": "staging"},
        "control": False,
    }
    (where / "plan.json").write_text(json.dumps({**plan, **more}))
    origin = int(days_ago(0.5).timestamp() * 1000)
    with Journal.open(where / "journal.jsonl") as journal:
        opened = {"origin_wall_ms": origin, "service_version": VERSION}
        journal.append(Event(seq=0, at_ms=0, kind="run.opened", subject=name, data=opened))
        journal.append(Event(seq=1, at_ms=9_000, kind="phase.began", subject="fault"))
    return where


def test_a_run_that_died_casts_doubt_on_what_passed_before_it(tmp_path: Path) -> None:
    where = died(tmp_path)

    found = runs_of("shop", [tmp_path, tmp_path])

    (run,) = found.runs
    assert (run.status, run.clean, run.sound, run.valid) == (
        RunStatus.INCOMPLETE,
        False,
        False,
        False,
    )
    assert (run.scenario, run.kind, run.version) == ("dependency-slow", "staging", VERSION)
    assert run.ended == days_ago(0.5) + timedelta(seconds=9)
    (note,) = found.notes
    assert where.name in note
    assert f"`gameday report {where}` judges it" in note
    shown = part(answer(on=evidence(runs=(*runs(), run))), Item.SCENARIOS)
    assert shown.state is State.NOT_MEASURED
    assert run.id in shown.reason


@pytest.mark.parametrize("text", ["", "{", '{"schema": 99}', '{"schema": 1, "scenario": []}'])
def test_a_result_that_is_spoiled_hides_no_failure(tmp_path: Path, text: str) -> None:
    where = died(tmp_path)
    (where / "result.json").write_text(text)

    found = runs_of("shop", [tmp_path])

    (run,) = found.runs
    assert (run.status, run.clean) == (RunStatus.INCOMPLETE, False)
    (note,) = found.notes
    assert f"`gameday report {where}` writes it again" in note
    assert not runs_of("another", [tmp_path]).runs


def test_a_run_that_died_is_no_evidence_of_another_service(tmp_path: Path) -> None:
    died(tmp_path)

    assert runs_of("another", [tmp_path]) == RunsFound(runs=(), notes=())


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"scenario": []}'])
def test_a_run_of_which_nothing_is_known_is_told(tmp_path: Path, text: str | None) -> None:
    where = died(tmp_path)
    (where / "plan.json").unlink()
    if text is not None:
        (where / "plan.json").write_text(text)

    found = runs_of("shop", [tmp_path])

    assert not found.runs
    (note,) = found.notes
    assert "nothing tells of which service it was" in note


def test_of_many_runs_that_died_each_is_seen_and_few_are_told(tmp_path: Path) -> None:
    for n in range(NOTES_MAX + 3):
        died(tmp_path, f"20261119T1000{n:02}Z-x-dead")

    found = runs_of("shop", [tmp_path])

    assert len(found.runs) == NOTES_MAX + 3
    assert len(found.notes) == NOTES_MAX + 1
    assert found.notes[-1] == "3 more runs have no result"


def test_a_journal_without_an_event_is_as_old_as_its_file(tmp_path: Path) -> None:
    where = died(tmp_path)
    (where / "journal.jsonl").write_bytes(b"")
    os.utime(where / "journal.jsonl", (1_700_000_000, 1_700_000_000))

    (run,) = runs_of("shop", [tmp_path]).runs

    assert run.ended == datetime.fromtimestamp(1_700_000_000, UTC)
    assert run.version == ""


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = runs_of("shop", [tmp_path / "nowhere"])

    assert found.notes == (
        f"runs in `{tmp_path / 'nowhere'}` cannot be read: no such file or directory",
    )
