"""load/breakpoint: one staircase per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from checks_support import Journal, cell, criteria, expectations, plan, tick

from gameday.checks import load_breakpoint, load_delivered, slo_criterion
from gameday.checks.case import Case
from gameday.model.event import Timeline
from gameday.model.histogram import bucket_of
from gameday.model.plan import Plan
from gameday.model.scenario import Breakpoint
from gameday.model.shape import Stretch, arrivals_between, constant
from gameday.model.verdict import Outcome
from gameday.model.window import Cell, tick_to_json

GROUND, RATES, BEGUN_S, FIRST_S, EACH_S = 50, (100, 200, 300, 400), 1, 20, 10
SHAPE = (
    Stretch(from_per_s=GROUND, to_per_s=GROUND, length_ms=(FIRST_S - BEGUN_S) * 1000),
    *(Stretch(from_per_s=rate, to_per_s=rate, length_ms=EACH_S * 1000) for rate in RATES),
    *constant(GROUND),
)
FAULT_S, END_S = 15, 61

Bears = Callable[[int, int], tuple[Cell, ...]]


def the_plan(expected: float | None, *limits: str) -> Plan:
    usual = plan(faults=(), expect=expectations(
        fault=criteria(*(limits or ("errors < 1%", "p95 < 300ms"))), alerts=(), quiet=(),
        recovery=(),
    ))  # fmt: skip
    load = replace(
        usual.scenario.load,
        arrivals_per_s=None,
        shape=SHAPE,
        breakpoint=Breakpoint(from_per_s=GROUND, expected_per_s=expected),
    )
    return replace(usual, scenario=replace(usual.scenario, load=load))


def rate_at(second: int, capped_s: int | None) -> int:
    if capped_s is not None and second >= capped_s:
        return GROUND
    at_ms = (second - BEGUN_S) * 1000
    return round(arrivals_between(SHAPE, at_ms, at_ms + 1000))


def journal(
    bears: Bears,
    *,
    capped_s: int | None = None,
    late: tuple[int, ...] = (),
    change: Mapping[int, Mapping[str, Any]] | None = None,
) -> Timeline:
    """*bears* says what comes of a second's arrivals; at *late* rates the generator is too slow."""
    made = Journal()
    made.note(-50, "run.opened", "r1", origin_wall_ms=0)
    made.act(500, "load.start", "load", took_ms=100, first_second=BEGUN_S)
    made.note(3_000, "run.phase", "baseline")
    made.note(FAULT_S * 1000, "run.phase", "fault")
    if capped_s is not None:
        made.act(capped_s * 1000, "load.rate", "load", took_ms=1, per_s=GROUND)
    over_s = END_S if capped_s is None else capped_s + 1
    made.note(over_s * 1000, "run.phase", "recovery")
    made.note((END_S + 10) * 1000, "run.phase", "end")
    asked = 0
    for second in range(BEGUN_S, END_S + 10):
        rate = rate_at(second, capped_s)
        asked += rate
        lag = {bucket_of(200_000 if rate in late else 800): rate}
        one = tick(second, bears(second, rate), asked=asked, started=asked, start_lag=lag)
        one = replace(one, **(change or {}).get(second, {}))
        made.note((second + 1) * 1000 + 20, "load.window", "0", **tick_to_json(one))
    made.note((END_S + 12) * 1000, "run.closed", "r1", status="completed")
    return Timeline(made.events())


def well(second: int, rate: int) -> tuple[Cell, ...]:
    return (cell(second, "browse", rate, 40),)


def slow_from(limit: int, *, share: float = 1.0) -> Bears:
    def bears(second: int, rate: int) -> tuple[Cell, ...]:
        bad = round(rate * share) if rate >= limit else 0
        fine = [cell(second, "browse", rate - bad, 40)] if rate > bad else []
        return (*fine, *([cell(second, "browse", bad, 900)] if bad else []))

    return bears


def ends_as(outcome: str, limit: int, ms: float, *, share: float) -> Bears:
    def bears(second: int, rate: int) -> tuple[Cell, ...]:
        bad = round(rate * share) if rate >= limit else 0
        fine = cell(second, "browse", rate - bad, 40)
        return (fine, cell(second, "browse", bad, ms, outcome)) if bad else (fine,)

    return bears


#: outcome, highest, broke, words of the summary; expected, what is borne, how it was driven
ROWS: dict[str, tuple[str, float | None, float | None, str, float | None, Bears, Any]] = {
    "it bears everything": (
        "skip", 400, None, "400/s held; nothing broke up to the peak", None, well, {},
    ),
    "it bears what is expected, and more": (
        "pass", 300, 400, "1.50 times the expected 200/s", 200, slow_from(400), {"capped_s": 53},
    ),
    "it bears just what is expected": (
        "pass", 200, 300, "300/s did not: p95 899 ms, allowed < 300 ms, n = 900", 200,
        slow_from(300), {"capped_s": 43},
    ),
    "it bears less than expected": (
        "fail", 200, 300, "0.67 times the expected 300/s", 300, slow_from(300), {"capped_s": 43},
    ),
    "without an expected peak it only reports": (
        "skip", 100, 200, "100/s held; 200/s did not", None, slow_from(200), {"capped_s": 33},
    ),
    "not even the first step": (
        "fail", None, 100, "not even the first step held; 100/s did not", 100, slow_from(100),
        {"capped_s": 23},
    ),
    "too few are slow": ("pass", 400, None, "400/s held", 400, slow_from(100, share=0.04), {}),
    "who waited in vain has waited": (
        "fail", 200, 300, "p95 5", 300, ends_as("timeout", 300, 5_000, share=0.06),
        {"capped_s": 43, "limits": ("errors < 10%", "p95 < 300ms")},
    ),
    "whom nobody served has waited": (
        "fail", 200, 300, "p95 2", 300, ends_as("unserved", 300, 2_000, share=0.06),
        {"capped_s": 43, "limits": ("errors < 10%", "p95 < 300ms")},
    ),
    "who was refused has not waited, and is an error": (
        "fail", 200, 300, "errors 6 %, allowed < 1 %", 300,
        ends_as("http_5xx", 300, 2_000, share=0.06), {"capped_s": 43},
    ),
    "the generator, not the service, broke": (
        "inconclusive", 200, None, "300/s could not be measured (the generator, not the service",
        300, slow_from(300), {"capped_s": 43, "late": (300, 400)},
    ),
    "the generator was slow at a step, and then a higher one held": (
        "pass", 300, 400, "300/s held; 400/s did not", 200, slow_from(400),
        {"capped_s": 53, "late": (200,)},
    ),
    "between what held and what broke one is not known": (
        "inconclusive", 200, 400, "300/s could not be measured", 300, slow_from(400),
        {"capped_s": 53, "late": (300,)},
    ),
    "the generator never kept up": (
        "inconclusive", None, None, "100/s could not be measured (the generator", None, well,
        {"late": RATES},
    ),
    "a step that was cut short did not hold": (
        "inconclusive", 200, None, "300/s could not be measured (it was cut short after 3 s)", 300,
        well, {"capped_s": 43},
    ),
    "too few requests": (
        "inconclusive", None, None, "`checkout p95 < 1s`: no requests", 100, well,
        {"limits": ("errors < 1%", "checkout p95 < 1s")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_breakpoint(row: Any) -> None:
    outcome, highest, broke, words, expected, bears, how = row
    how = dict(how)
    limits = how.pop("limits", ())

    found = list(load_breakpoint.check(Case(the_plan(expected, *limits), journal(bears, **how))))

    assert len(found) == 1
    assert found[0].outcome is Outcome(outcome), found[0]
    assert found[0].facts["highest_rate_per_s"] == highest
    assert found[0].facts["broke_at_per_s"] == broke
    assert words in found[0].summary
    wanted = highest / expected if highest and expected else None
    headroom = found[0].facts["headroom"]
    assert headroom == (None if wanted is None else pytest.approx(wanted, abs=1e-4))


def test_arrivals_that_the_generator_never_started_say_nothing_of_the_service() -> None:
    less = {s: {"asked": 1_000, "started": 1_000} for s in range(FIRST_S, END_S + 10)}

    found = list(load_breakpoint.check(Case(the_plan(100), journal(well, change=less))))

    assert found[0].outcome is Outcome.INCONCLUSIVE
    assert "arrivals" in found[0].summary


def test_start_lag_while_the_service_holds_all_users_is_the_services() -> None:
    held = {s: {"in_flight": 120, "users": 120} for s in range(50, 60)}

    case = Case(the_plan(400), journal(slow_from(400), late=(400,), capped_s=53, change=held))

    assert next(iter(load_breakpoint.check(case))).outcome is Outcome.FAIL


def test_a_run_that_never_came_so_far_says_so() -> None:
    events = [e for e in journal(well) if e.kind != "run.phase" or e.subject == "baseline"]

    found = list(load_breakpoint.check(Case(the_plan(100), Timeline(events))))

    assert found[0].outcome is Outcome.INCONCLUSIVE
    assert "never reached" in found[0].summary


def test_any_other_load_is_not_asked() -> None:
    assert list(load_breakpoint.check(Case(plan(), journal(well)))) == []


def test_the_fault_phase_is_not_judged_as_a_whole_beside_its_steps() -> None:
    case = Case(the_plan(200), journal(slow_from(300), capped_s=43))

    assert [f.subject for f in slo_criterion.check(case)] == ["baseline", "baseline"]


def test_what_was_asked_is_what_the_load_was_told() -> None:
    case = Case(the_plan(200), journal(slow_from(300), capped_s=43))

    found = [f for f in load_delivered.check(case) if f.subject == "fault"]

    assert found[0].outcome is Outcome.PASS
    # 5 s of the ground, ten seconds each of 100 and 200, three of 300, one of the ground again
    assert found[0].facts["asked"] == 5 * 50 + 10 * 100 + 10 * 200 + 3 * 300 + 50
