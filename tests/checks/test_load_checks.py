"""load/delivered and load/generator: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from checks_support import FAULT_S, RATE, Spoil, cut, drop, good_run, plan, tick, timeline

from gameday.checks import load_delivered, load_generator
from gameday.checks.case import Case
from gameday.model.event import Event
from gameday.model.histogram import bucket_of
from gameday.model.shape import Stretch, arrivals_between
from gameday.model.verdict import Outcome
from gameday.model.window import Tick

Ticks = Callable[[int], Tick | None]


def behind(share: float, *, from_s: int = 0, users: int = 120, in_flight: int = 3) -> Ticks:
    """From *from_s* on only *share* of the arrivals are taken up."""

    def ticks(second: int) -> Tick:
        asked = (second + 1) * RATE
        lost = int(max(0, second + 1 - from_s) * RATE * (1 - share))
        return tick(
            second, asked=asked, started=asked - lost, queued=lost, users=users, in_flight=in_flight
        )

    return ticks


def slow_pacer(second: int) -> Tick:
    """A generator that cannot even keep its own schedule: it believes that it is on time."""
    done = (second + 1) * RATE // 2
    return tick(second, asked=done, started=done)


def dies_at(at: int) -> Ticks:
    return lambda second: tick(second) if second < at else None


def two_workers() -> Any:
    journal = good_run(ticks=lambda s: tick(s, asked=(s + 1) * 50, started=(s + 1) * 50))
    from gameday.model.window import tick_to_json

    for second in range(48):
        half = tick(second, worker="1", asked=(second + 1) * 50, started=(second + 1) * 50)
        journal.note((second + 1) * 1000 + 30, "load.window", "1", **tick_to_json(half))
    return journal


DELIVERED: dict[str, tuple[str, str, str, Ticks, tuple[Spoil, ...]]] = {
    "all of it": ("pass", "pass", "100 % of 2000", tick, ()),
    "a little less": ("pass", "pass", "96 %", behind(0.96, from_s=FAULT_S), ()),
    "too little while the fault is in": (
        "pass", "inconclusive", "could not be delivered: only 80.05 % of 2000",
        behind(0.8, from_s=FAULT_S), (),
    ),
    "too little from the start": (
        "inconclusive", "inconclusive", "only 50 %", behind(0.5), (),
    ),
    "the generator's own idea of what was due does not count": (
        "inconclusive", "inconclusive", "only 50 %", slow_pacer, (),
    ),
    "the service holds every user": (
        "pass", "pass", "100 % of 2000",
        behind(0.5, from_s=FAULT_S, users=120, in_flight=120), (),
    ),
    "the load died in the fault": (
        "pass", "inconclusive", "only 35 %", dies_at(FAULT_S + 7), (),
    ),
    "no load": ("inconclusive", "inconclusive", "only 0 %", tick, (drop("load.window"),)),
    "cut in the fault": (
        "pass", "pass", "of 500 asked", tick, (cut((FAULT_S + 5) * 1000 + 200),),
    ),
    "cut before the fault": (
        "pass", "inconclusive", "never reached", tick, (cut(FAULT_S * 1000 - 1_000),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", DELIVERED.values(), ids=DELIVERED)
def test_delivered(row: Any) -> None:
    baseline, fault, words, ticks, spoils = row

    found = list(load_delivered.check(Case(plan(), timeline(good_run(ticks=ticks), *spoils))))

    assert [f.outcome for f in found] == [Outcome(baseline), Outcome(fault)], found
    assert words in found[1].summary
    assert all(f.validity for f in found)


@pytest.mark.parametrize(
    ("spread", "share", "outcome"),
    [("even", 0.9, "inconclusive"), ("poisson", 0.9, "pass"), ("poisson", 0.8, "inconclusive")],
)
def test_fewer_arrivals_may_be_drawn_than_asked(spread: str, share: float, outcome: str) -> None:
    asked = plan()
    load = replace(asked.scenario.load, spread=spread)
    asked = replace(asked, scenario=replace(asked.scenario, load=load))

    ticks = behind(share)
    found = list(load_delivered.check(Case(asked, timeline(good_run(ticks=ticks)))))

    assert found[0].outcome is Outcome(outcome), found[0]


def test_workers_are_added_up() -> None:
    found = list(load_delivered.check(Case(plan(), timeline(two_workers()))))

    assert [f.facts["started"] for f in found] == [1000, 2000]


@pytest.mark.parametrize(
    ("ticks", "outcome"),
    [
        (tick, "pass"),
        (lambda s: tick(s, users=0), "inconclusive"),
        (dies_at(FAULT_S + 7), "inconclusive"),
    ],
)
def test_a_closed_model_only_has_to_be_there(ticks: Ticks, outcome: str) -> None:
    found = list(load_delivered.check(Case(plan(rate=None), timeline(good_run(ticks=ticks)))))

    assert found[1].outcome is Outcome(outcome), found


def ramped(share: float = 1.0, begin_s: int = 1) -> Ticks:
    """What comes of `SHAPE` if the load begins in that second and delivers *share* of it."""

    def ticks(second: int) -> Tick | None:
        if second < begin_s:
            return None
        asked = round(arrivals_between(SHAPE, 0, (second + 1 - begin_s) * 1000) * share)
        return tick(second, asked=asked, started=asked)

    return ticks


#: Baseline at 20/s; a ramp that ends in the middle of the fault phase, in which 1,050 are due.
SHAPE = (
    Stretch(from_per_s=20, to_per_s=20, length_ms=(FAULT_S - 1) * 1000),
    Stretch(from_per_s=20, to_per_s=70, length_ms=10_000),
    Stretch(from_per_s=60, to_per_s=60),
)


@pytest.mark.parametrize(
    ("ticks", "said_begin", "outcomes", "words"),
    [
        (ramped(), None, ("pass", "pass"), "100 % of 1050 asked"),
        (ramped(), 1, ("pass", "pass"), "100 % of 1050 asked"),
        (ramped(0.96), 1, ("pass", "pass"), "96 % of 1050 asked"),
        (ramped(0.8), 1, ("inconclusive", "inconclusive"), "only 80 % of 1050 asked"),
        (lambda s: tick(s, asked=s * 20, started=s * 20), 1, ("pass", "inconclusive"),
         "only 38.1 % of 1050 asked"),
        # what counts is when the load said that it began, not which of its seconds are known
        (lambda s: ramped()(s) if s > 20 else None, 1, ("inconclusive", "pass"), "of 1050 asked"),
    ],
)  # fmt: skip
def test_a_rate_that_changes_is_asked_for_as_it_changes(
    ticks: Ticks, said_begin: int | None, outcomes: tuple[str, str], words: str
) -> None:
    run, case_plan = good_run(ticks=ticks), plan()
    if said_begin is not None:
        run.act(-14, "load.start", "load", took_ms=1, first_second=said_begin)
    load = replace(case_plan.scenario.load, arrivals_per_s=None, shape=SHAPE)
    case_plan = replace(case_plan, scenario=replace(case_plan.scenario, load=load))
    spoils = () if said_begin is None else (drop_first_start,)

    found = list(load_delivered.check(Case(case_plan, timeline(run, *spoils))))

    assert [f.outcome for f in found] == [Outcome(o) for o in outcomes], found
    assert words in found[1].summary


def drop_first_start(events: list[Event]) -> list[Event]:
    """Without the start that says nothing of its first second."""
    return [e for e in events if e.kind != "load.start" or "pid" not in e.data]


def lag(ms: float, share: int = RATE, from_s: int = 0, until_s: int = 99, **more: Any) -> Ticks:
    def ticks(second: int) -> Tick:
        if not from_s <= second < until_s:
            return tick(second)
        late = {bucket_of(round(ms * 1000)): share, bucket_of(500): RATE - share}
        return tick(second, start_lag=late, **more)

    return ticks


GENERATOR: dict[str, tuple[str, str, Ticks, tuple[Spoil, ...]]] = {
    "kept up": ("pass", "p99 of the start lag was 0.8 ms, allowed 30 ms", tick, ()),
    "a tenth of the tightest limit is borne": ("pass", "25 ms", lag(25), ()),
    "late": (
        "inconclusive", "saturated: p99 of the start lag was 45 ms, allowed 30 ms", lag(45), (),
    ),
    "two in a hundred late is p99": ("inconclusive", "saturated", lag(45, share=2), ()),
    "late only while the fault is in": ("pass", "kept up", lag(900, from_s=FAULT_S), ()),
    "late only in the warm-up": ("pass", "kept up", lag(900, until_s=3), ()),
    "its loop is late": ("inconclusive", "its loop ran 90 ms late", lag(1, loop_lag_ms=90.0), ()),
    "no word": ("inconclusive", "sent no word", tick, (drop("load.window"),)),
    "no baseline": ("inconclusive", "no baseline", tick, (cut(1_500),)),
    "no arrivals taken up": (
        "inconclusive", "too few arrivals", lambda s: tick(s, start_lag={}), (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", GENERATOR.values(), ids=GENERATOR)
def test_generator(row: Any) -> None:
    outcome, words, ticks, spoils = row

    (found,) = load_generator.check(Case(plan(), timeline(good_run(ticks=ticks), *spoils)))

    assert found.outcome is Outcome(outcome), found
    assert words in found.summary
    assert found.validity


def test_a_closed_model_is_asked_for_its_loop_alone() -> None:
    run = timeline(good_run(ticks=lambda s: tick(s, start_lag={})))

    (found,) = load_generator.check(Case(plan(rate=None), run))

    assert found.outcome is Outcome.PASS
