"""Comparing with earlier runs: a table of cases, and how often it is wrong on drawn runs."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from compare_support import World, history, run

from gameday.kpi.compare import (
    FALSE_ALARMS,
    RUNS_MAX,
    RUNS_MIN,
    EarlierRun,
    History,
    Seen,
    compare,
)
from gameday.model.report import Change, Compared, Comparison


def seen(p95_ms: float | None = 100, bad: int = 0, n: int = 1_000, **more: object) -> Seen:
    usual: dict[str, object] = {
        "phase": "fault",
        "subject": "all",
        "complete": True,
        "n": n,
        "bad": bad,
        "p95_ms": p95_ms,
        "p95_low_ms": None if p95_ms is None else p95_ms * 0.97,
        "p95_high_ms": None if p95_ms is None else p95_ms * 1.03,
    }
    return Seen(**{**usual, **more})  # type: ignore[arg-type]


def earlier(runs: Iterable[Seen]) -> History:
    return History(
        runs=tuple(EarlierRun(run_id=f"r{i}", seen=(one,)) for i, one in enumerate(runs))
    )


def number(found: Comparison, metric: str) -> Compared:
    return next(row for row in found.numbers if row.metric == metric)


QUIET = [seen(98, 3), seen(100, 5), seen(103, 4), seen(101, 6), seen(99, 2)]
NOISY = [seen(60, 3), seen(100, 50), seen(150, 20), seen(110, 90), seen(80, 2)]
STILL = [seen(100, 0) for _ in range(5)]

#: what: earlier runs, this run, p95, errors
CASES: dict[str, tuple[list[Seen], Seen, Change, Change]] = {
    "as before": (QUIET, seen(101, 5), Change.NOT_SHOWN, Change.NOT_SHOWN),
    "30 % slower": (QUIET, seen(130, 4), Change.WORSE, Change.NOT_SHOWN),
    "2 points more errors": (QUIET, seen(100, 24), Change.NOT_SHOWN, Change.WORSE),
    "a third faster": (QUIET, seen(67, 4), Change.BETTER, Change.NOT_SHOWN),
    "slower by less than is worth it": (STILL, seen(109, 0), Change.NOT_SHOWN, Change.NOT_SHOWN),
    "errors by less than is worth it": (
        [seen(n=100_000) for _ in range(5)],
        seen(bad=400, n=100_000),
        Change.NOT_SHOWN,
        Change.NOT_SHOWN,
    ),
    "30 % slower among runs that differ": (
        NOISY,
        seen(130, 20),
        Change.NOT_SHOWN,
        Change.NOT_SHOWN,
    ),
    "2 points more among runs that differ": (
        NOISY,
        seen(100, 53),
        Change.NOT_SHOWN,
        Change.NOT_SHOWN,
    ),
    "alike by luck, one failure more": (STILL, seen(100, 1), Change.NOT_SHOWN, Change.NOT_SHOWN),
    "alike, 2 points more": (STILL, seen(100, 20), Change.NOT_SHOWN, Change.WORSE),
    "fewer errors": (
        [seen(bad=b) for b in (48, 52, 50, 49, 51)],
        seen(bad=10),
        Change.NOT_SHOWN,
        Change.BETTER,
    ),
    "nothing but errors": (QUIET, seen(None, 1_000), Change.NOT_COMPARED, Change.WORSE),
    "cut short": (QUIET, seen(500, 900, complete=False), Change.NOT_COMPARED, Change.NOT_COMPARED),
    "too few requests": (QUIET, seen(None, 50, n=199), Change.NOT_COMPARED, Change.NOT_COMPARED),
    "just enough requests": (QUIET, seen(100, 0, n=200), Change.NOT_SHOWN, Change.NOT_SHOWN),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_called_a_change(name: str) -> None:
    before, now, p95, errors = CASES[name]

    found = compare([now], earlier(before))

    if (p95, errors) == (Change.NOT_COMPARED, Change.NOT_COMPARED):
        assert (found.change, found.numbers) == (Change.NOT_COMPARED, ())
        assert found.why
        return
    assert number(found, "p95").change is p95
    assert number(found, "errors").change is errors
    for row in found.numbers:
        assert (row.by is None) == (row.change is Change.NOT_COMPARED) == bool(row.why)
        if row.by is not None:
            assert row.by_low is not None
            assert row.by_high is not None
            assert row.by_low <= row.by <= row.by_high


def test_the_worst_number_is_the_answer() -> None:
    better_and_worse = compare([seen(67, 24)], earlier(QUIET))

    assert number(better_and_worse, "p95").change is Change.BETTER
    assert better_and_worse.change is Change.WORSE


def test_what_could_not_be_compared_is_told_beside_the_answer() -> None:
    found = compare([seen(None, 14, n=210)], earlier([seen(bad=60) for _ in QUIET]))

    assert found.change is Change.NOT_SHOWN
    assert found.why == "1 of 2 numbers could not be compared"
    assert number(found, "p95").why == "only 196 good answers; p95 needs 200"


@pytest.mark.parametrize("runs", range(RUNS_MIN))
def test_too_few_earlier_runs_are_never_a_pass(runs: int) -> None:
    found = compare([seen()], replace(earlier(QUIET[:runs]), left_out={"of another load": 4}))

    assert found.change is Change.NOT_COMPARED
    assert f"{RUNS_MIN} are needed" in found.why
    assert "4 of another load" in found.why


def test_earlier_runs_without_enough_samples_do_not_count() -> None:
    thin = [replace(one, n=199) for one in QUIET[:3]]

    found = compare([seen()], earlier([*QUIET[3:], *thin]))

    assert number(found, "errors").change is Change.NOT_COMPARED
    assert number(found, "errors").why == (
        f"2 earlier runs have enough samples of it, {RUNS_MIN} are needed"
    )
    assert number(found, "p95").runs == 5


def test_earlier_runs_are_matched_by_phase_and_subject() -> None:
    other = [replace(one, subject="checkout") for one in QUIET]

    assert compare([seen()], earlier(other)).change is Change.NOT_COMPARED


def test_only_the_newest_runs_are_used() -> None:
    old = [seen(1_000) for _ in range(RUNS_MAX)]
    new = [seen(100 + i) for i in range(RUNS_MAX)]

    found = compare([seen(104)], earlier([*new, *old]))

    assert len(found.runs) == RUNS_MAX
    assert number(found, "p95").before == pytest.approx(104.5, abs=0.1)


def test_runs_that_differ_more_make_wider_intervals() -> None:
    quiet, noisy = (compare([seen(100, 4)], earlier(runs)) for runs in (QUIET, NOISY))

    for metric in ("p95", "errors"):
        assert width(number(noisy, metric)) > 3 * width(number(quiet, metric))


def test_fewer_samples_in_this_run_make_wider_intervals() -> None:
    many, few = (compare([seen(100, n // 200, n=n)], earlier(QUIET)) for n in (1_000, 200))

    for metric in ("p95", "errors"):
        assert width(number(few, metric)) > 1.2 * width(number(many, metric))


def test_more_numbers_that_are_looked_at_make_wider_intervals() -> None:
    names = [f"j{i}" for i in range(6)]
    runs = tuple(
        EarlierRun(run_id=f"r{i}", seen=tuple(replace(one, subject=name) for name in names))
        for i, one in enumerate(QUIET)
    )
    alone = compare([seen(100, 4, subject="j0")], History(runs=runs))
    together = compare([seen(100, 4, subject=name) for name in names], History(runs=runs))

    assert alone.coverage == pytest.approx(1 - FALSE_ALARMS / 2)
    assert together.coverage == pytest.approx(1 - FALSE_ALARMS / 12)
    for metric in ("p95", "errors"):
        assert width(number(together, metric)) > 1.5 * width(number(alone, metric))


def test_numbers_without_bound_stay_numbers() -> None:
    wild = [seen(p95_ms) for p95_ms in (0.001, 1e7, 0.001, 1e7, 0.001, 1e7)]

    row = number(compare([seen(5)], earlier(wild)), "p95")

    assert row.by_high is not None
    assert math.isfinite(row.by_high)
    assert row.change is Change.NOT_SHOWN


def width(row: Compared) -> float:
    assert row.by_low is not None
    assert row.by_high is not None
    return row.by_high - row.by_low


# -- how often it is wrong -----------------------------------------------------------------------

ALONE = ("all",)
WORLDS = {
    "nothing differs but by chance": World(between=0, between_odds=0, share=0.01),
    "steady machines": World(between=0.02, between_odds=0.1, share=0.0005),
    "shared machines": World(between=0.05, between_odds=0.3, share=0.01),
    "machines that differ a lot": World(between=0.15, between_odds=0.6, share=0.03),
    "runs of their own": World(between=0.1, between_odds=0.5, share=0.02, common=0),
}


def called_worse(world: World, runs: int, *, drawn: int, **planted: float) -> float:
    """The share of drawn runs that are called worse in any number."""
    dice = random.Random(runs)
    worse = 0
    for _ in range(drawn):
        before = history(dice, world, runs)
        worse += compare(run(dice, world, **planted), before).change is Change.WORSE
    return worse / drawn


@pytest.mark.parametrize("runs", [3, 6])
@pytest.mark.parametrize("name", ["shared machines", "machines that differ a lot"])
def test_a_run_without_a_change_is_rarely_called_worse_anywhere(name: str, runs: int) -> None:
    world = replace(WORLDS[name], subjects=ALONE)

    assert called_worse(world, runs, drawn=250) <= FALSE_ALARMS


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 4, 6, 10])
@pytest.mark.parametrize("name", WORLDS)
def test_the_same_with_all_journeys_and_more_runs(name: str, runs: int) -> None:
    assert called_worse(WORLDS[name], runs, drawn=600) <= FALSE_ALARMS


PLANTED = [
    ("steady machines", 5, {"slower": 1.3}),
    ("steady machines", 5, {"points": 0.02}),
    ("nothing differs but by chance", 5, {"slower": 1.3}),
    ("shared machines", 10, {"slower": 1.3}),
    ("shared machines", 10, {"points": 0.03}),
]


@pytest.mark.parametrize(("name", "runs", "planted"), PLANTED)
def test_what_was_planted_is_found(name: str, runs: int, planted: dict[str, float]) -> None:
    world = replace(WORLDS[name], subjects=ALONE)

    assert called_worse(world, runs, drawn=60, **planted) >= 0.9


def test_a_simulation_that_could_not_fail_would_show_nothing() -> None:
    """Looking at bare percentages, nearly every run without a change would be called worse."""
    dice, world = random.Random(1), WORLDS["shared machines"]
    worse = 0
    for _ in range(40):
        before = history(dice, world, 1).runs[0].seen
        now = run(dice, world)
        worse += any(
            (a.p95_ms or 0) > 1.1 * (b.p95_ms or 0) or a.bad - b.bad > 0.005 * a.n
            for a, b in zip(now, before, strict=True)
        )

    assert worse > 20
