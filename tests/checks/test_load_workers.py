"""load/workers: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from typing import Any

import pytest
from checks_support import good_run, plan, tick, timeline

from gameday.checks import judge, load_delivered, load_generator, load_workers
from gameday.checks.case import Case
from gameday.model.histogram import bucket_of
from gameday.model.verdict import Outcome, RunStatus
from gameday.model.window import tick_to_json

CLOCK = {"offset_ms": 12.0, "error_ms": 0.4}
HERE = [{"worker": "0", "pid": 1, "generator": "x"}, {"worker": "1", "pid": 2, "generator": "x"}]
THERE = [{**one, "host": "box", "clock": CLOCK} for one in HERE]
LOST = {"state": "lost", "why": "it ended by signal 9\n  a trace", "second": 31}


def events_of(
    workers: list[dict[str, Any]] | None, *notes: tuple[str, dict[str, Any]], mute: str = ""
) -> Any:
    run = good_run()
    if workers is not None:
        run.act(-14, "load.start", "load", took_ms=1, first_second=1, pid=3, workers=workers)
    lost = [name for name, data in notes if data.get("state") == "lost"]
    for worker in [str(one["worker"]) for one in workers or () if str(one["worker"]) != "0"]:
        if worker not in (*lost, mute):  # good_run is worker 0
            part = tick_to_json(tick(20, [], worker=worker, asked=0, started=0))
            run.note(21_030, "load.window", worker, **part)
    for worker, data in notes:
        run.note(31_500, "load.worker", worker, **data)
    return timeline(run, lambda events: [e for e in events if not _plain_start(e)])


def _plain_start(event: Any) -> bool:
    return event.kind == "load.start" and "workers" not in event.data and event.cause is not None


ROWS: list[tuple[Any, tuple[Any, ...], tuple[str, ...]]] = [
    (None, (), ()),
    (HERE[:1], (), ()),
    (HERE, (), ("pass: all 2 workers told of the load to its end",)),
    (HERE, (("1", LOST),), (
        "inconclusive: worker `1` of the load was lost from second 31 on: it ended by signal 9",)),
    (HERE, (("0", {**LOST, "second": None}), ("1", LOST)), (
        "inconclusive: worker `0` of the load was lost before it told of any second: it ended by"
        " signal 9",
        "inconclusive: worker `1` of the load was lost from second 31 on: it ended by signal 9")),
    (HERE, (("2", {"state": "late"}),), ("pass: all 2 workers told of the load to its end",)),
    (THERE, (("1", {**CLOCK, "state": "clock", "offset_ms": 13.5}),), (
        "pass: all 2 workers told of the load to its end; their clocks are known within 0.4 ms",)),
    (THERE, (("1", {**CLOCK, "state": "clock", "offset_ms": -20.0}),), (
        "pass: all 2 workers told of the load to its end; their clocks are known within 0.4 ms,"
        " but that of `1` went 32 ms apart",)),
]  # fmt: skip


@pytest.mark.parametrize(("workers", "notes", "said"), ROWS)
def test_workers(workers: Any, notes: tuple[Any, ...], said: tuple[str, ...]) -> None:
    found = list(load_workers.check(Case(plan(), events_of(workers, *notes))))
    assert tuple(f"{f.outcome.value}: {f.summary}" for f in found) == said
    assert all(f.validity for f in found)


def test_a_worker_that_told_of_nothing_is_not_taken_for_one_that_told_of_all() -> None:
    (found,) = load_workers.check(Case(plan(), events_of(HERE, mute="1")))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.summary == "worker `1` told nothing of the load"


def test_the_drift_is_a_fact() -> None:
    notes = [("1", {**CLOCK, "state": "clock", "offset_ms": ms}) for ms in (12.5, -20.0, 11.0)]
    (found,) = load_workers.check(Case(plan(), events_of(THERE, *notes)))
    assert found.facts["clocks"] == {
        "0": {**CLOCK, "drift_ms": 0.0}, "1": {**CLOCK, "drift_ms": 32.0},
    }  # fmt: skip


def test_a_run_that_lost_a_worker_is_invalid() -> None:
    verdict = judge(plan(), events_of(HERE, ("1", LOST)))
    assert (verdict.outcome, verdict.status) == (Outcome.INCONCLUSIVE, RunStatus.INVALID)
    assert verdict.reason.startswith("worker `1` of the load was lost from second 31 on")
    assert judge(plan(), events_of(HERE)).outcome is Outcome.PASS


def shared(lag_ms: float = 0.5, loop_ms: float = 0.5, *, gap: range = range(0)) -> Any:
    """Worker 1 of eight makes an eighth of the load, and is itself late, or tells of nothing."""
    part = {"asked": 0, "started": 0}
    run = good_run(ticks=lambda s: tick(s, **part))
    for second in range(48):
        for worker in map(str, range(1, 8)):
            own = tick(second, worker=worker, **part)
            if worker == "1":
                lags = {bucket_of(round(lag_ms * 1000)): 50}
                own = tick(second, worker="1", start_lag=lags, loop_lag_ms=loop_ms, **part)
            if worker != "1" or second not in gap:
                run.note((second + 1) * 1000 + 30, "load.window", worker, **tick_to_json(own))
    return timeline(run)


@pytest.mark.parametrize(
    ("how", "outcome", "words"),
    [
        ({}, "pass", "kept up"),
        ({"lag_ms": 45}, "inconclusive", "of the start lag was 45 ms"),
        ({"loop_ms": 45}, "inconclusive", "its loop ran 45 ms late"),
    ],
)
def test_a_late_worker_does_not_hide_among_others(
    how: dict[str, Any], outcome: str, words: str
) -> None:
    (found,) = load_generator.check(Case(plan(), shared(**how)))
    assert (found.outcome.value, words in found.summary) == (outcome, True), found.summary


def test_seconds_of_which_one_worker_did_not_tell_are_a_gap_of_closed_users() -> None:
    from dataclasses import replace

    closed = plan()
    load = replace(closed.scenario.load, arrivals_per_s=None, users=5)
    closed = replace(closed, scenario=replace(closed.scenario, load=load))
    fine = list(load_delivered.check(Case(closed, shared())))
    assert {f.outcome for f in fine} == {Outcome.PASS}
    broken = list(load_delivered.check(Case(closed, shared(gap=range(20, 28)))))
    assert Outcome.INCONCLUSIVE in {f.outcome for f in broken}
