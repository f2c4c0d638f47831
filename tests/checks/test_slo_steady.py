"""slo/steady: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from checks_support import (
    RECOVERY_S,
    Spoil,
    cell,
    criteria,
    cut,
    drop,
    expectations,
    good_run,
    plan,
    tick,
    timeline,
)

from gameday.checks.case import Case
from gameday.checks.slo_steady import check
from gameday.model.event import Phase
from gameday.model.verdict import Outcome
from gameday.model.window import Tick

Ticks = Callable[[int], Tick | None]


def bad(first_s: int, last_s: int) -> Ticks:
    """Requests fail from *first_s* to *last_s* seconds after the fault was taken out."""

    def ticks(second: int) -> Tick:
        if first_s <= second - RECOVERY_S <= last_s:
            return tick(
                second, [cell(second, "browse", 50, 5), cell(second, "browse", 50, 5, "other")]
            )
        return tick(second)

    return ticks


def silent_from(first_s: int) -> Ticks:
    return lambda second: tick(second, []) if second - RECOVERY_S >= first_s else tick(second)


ROWS: dict[str, tuple[str, str, str, Ticks, tuple[Spoil, ...]]] = {
    "at once": ("10s", "pass", "steady 960 ms after", tick, ()),
    "in time": ("10s", "pass", "steady 6.96 s after", bad(0, 6), ()),
    "late": (
        "5s", "fail", "only 6.96 s after the last fault was off, allowed 5 s", bad(0, 6), (),
    ),
    "never": ("10s", "fail", "not steady 14.96 s after", bad(0, 99), ()),
    "good at first, bad in the end": ("10s", "fail", "not steady", bad(12, 99), ()),
    "a relapse counts from its end": ("5s", "fail", "steady only 9.96 s", bad(8, 9), ()),
    "recovery ends before the time allowed": (
        "30s", "inconclusive", "not steady yet after 14.96 s", bad(0, 99), (),
    ),
    "steady early needs no more time": ("30s", "pass", "steady 6.96 s", bad(0, 6), ()),
    "silence is not steadiness": ("10s", "inconclusive", "not known", silent_from(3), ()),
    "no load at all": ("10s", "inconclusive", "not known", tick, (drop("load.window"),)),
    "too short a recovery for a single window": (
        "10s", "inconclusive", "needs 5 s of load", tick, (cut((RECOVERY_S + 3) * 1000),),
    ),
    "the fault was never confirmed off": (
        "10s", "inconclusive", "confirmed off", tick, (drop("fault.revert", phase=Phase.OK),),
    ),
    "cut short": (
        "10s", "inconclusive", "cut short", tick, (cut((RECOVERY_S + 11) * 1000),),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("within", "outcome", "words", "ticks", "spoils"), ROWS.values(), ids=ROWS)
def test_outcome(
    within: str, outcome: str, words: str, ticks: Ticks, spoils: tuple[Spoil, ...]
) -> None:
    expect = expectations(recovery=criteria(f"steady within {within}"))
    case = Case(plan(expect=expect), timeline(good_run(ticks=ticks), *spoils))

    (finding,) = check(case)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_without_a_criterion_in_the_baseline_steady_has_no_meaning() -> None:
    expect = expectations(baseline=(), recovery=criteria("steady within 5s"))

    (finding,) = check(Case(plan(expect=expect), timeline(good_run())))

    assert finding.outcome is Outcome.INCONCLUSIVE


def test_a_percentile_that_needs_more_than_5_s_of_load_gets_it() -> None:
    """p99 at 100/s needs 1000 answers: windows of 12 s, and not "withheld, so not steady"."""
    expect = expectations(baseline=criteria("p99 < 300ms"), recovery=criteria("steady within 10s"))

    (finding,) = check(Case(plan(expect=expect), timeline(good_run())))

    assert finding.outcome is Outcome.PASS, finding
