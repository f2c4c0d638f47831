"""alert/resolved: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks_support import (
    END_S,
    FAULT_S,
    ORIGIN,
    PAYMENTS_SLOW,
    RECOVERY_S,
    Spoil,
    alert,
    drop,
    expectations,
    good_run,
    plan,
    tick,
    timeline,
)

from gameday.checks.alert_resolved import check
from gameday.checks.case import Case
from gameday.model.event import Phase
from gameday.model.verdict import Finding, Outcome

PAGE = {"severity": "page"}
FIRES = FAULT_S + 6
Stretch = tuple[int, int | None]

#: outcome, words, stretches of firing, gaps (run seconds), time allowed in ms
ROWS: dict[str, tuple[str, str, list[Stretch], list[tuple[int, int]], int]] = {
    "in time": ("pass", "resolved 3.96 s after the fault was off", [(FIRES, 37)], [], 10_000),
    "at the last moment": ("pass", "9.96 s", [(FIRES, 43)], [], 10_000),
    "late": (
        "fail", "10.96 s after the fault was off, allowed 10 s", [(FIRES, 44)], [], 10_000,
    ),
    "still firing at the end": ("fail", "still fired 15.06 s", [(FIRES, None)], [], 10_000),
    "still firing, and not watched long enough": (
        "inconclusive", "still firing 15.06 s after", [(FIRES, None)], [], 60_000,
    ),
    "late, but we were blind": (
        "inconclusive", "could not be read", [(FIRES, 44)], [(38, 44)], 10_000,
    ),
    "gone, but only because we were blind from then on": (
        "inconclusive", "not seen any more, but `builtin` could not be read",
        [(FIRES, 37)], [(36, 48)], 10_000,
    ),
    "gone, and nobody could look again before the end of the run": (
        "inconclusive", "not seen any more, but `builtin` could not be read from 36.0 s",
        [(FIRES, 37)], [(36, 49)], 60_000,
    ),
    "gone, and looked at again before the end of the run": (
        "pass", "resolved 3.96 s after", [(FIRES, 37)], [(36, 47)], 60_000,
    ),
    "gone in a gap that was over in time": (
        "pass", "resolved 3.96 s after", [(FIRES, 37)], [(36, 41)], 10_000,
    ),
    "gone before a gap": (
        "pass", "resolved 3.96 s after", [(FIRES, 37)], [(38, 48)], 10_000,
    ),
    "resolved while users still felt it": (
        "fail", "before fault `slow` was taken out, while users still", [(FIRES, 25)], [], 10_000,
    ),
    "false resolve, then fired again and resolved in time": (
        "fail", "while users still felt it", [(FIRES, 23), (26, 37)], [], 10_000,
    ),
    "flapped after the fault was off": (
        "pass", "(1 more firings before)", [(FIRES, 35), (37, 40)], [], 10_000,
    ),
    "never fired": ("skip", "nothing to resolve", [], [], 10_000),
    "fired only after the fault was off": ("skip", "nothing to resolve", [(40, 43)], [], 10_000),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_outcome(row: Any) -> None:
    outcome, words, stretches, gaps, within_ms = row
    finding = judged(stretches, gaps=gaps, within_ms=within_ms)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


#: Firings of two instances: from second, to second; the outcome, and what is said of it.
PODS: dict[str, tuple[Stretch, Stretch, str, str]] = {
    "the older one still fires": ((FIRES, None), (FIRES + 2, 37), "fail", "still fired"),
    "the newer one still fires": ((FIRES, 37), (FIRES + 2, None), "fail", "still fired"),
    "the older one ended last, and late": (
        (FIRES, 44), (FIRES + 2, 36), "fail", "resolved 10.96 s after",
    ),
    "the older one ended last, and in time": (
        (FIRES, 40), (FIRES + 2, 36), "pass", "resolved 6.96 s after",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", PODS.values(), ids=PODS)
def test_of_several_at_once_the_one_that_ends_last_decides(row: Any) -> None:
    older, newer, outcome, words = row
    run = good_run(alerts=False)
    for pod, (first, last) in (("a", older), ("b", newer)):
        labels = {**PAGE, "pod": pod}
        alert(run, "alert.firing", first * 1000, "PaymentsSlow", labels)
        if last is not None:
            alert(run, "alert.resolved", last * 1000, "PaymentsSlow", labels)

    finding = judged([], journal=run)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary


def test_resolving_is_right_where_the_service_cured_itself() -> None:
    """Users were served as in the baseline by then: the alert did not lie."""
    cured = good_run(alerts=False, ticks=lambda s: tick(s, tick(1).cells) if s > 20 else tick(s))

    def at(second: int) -> Any:
        made = tick(second)
        moved = tuple(replace(c, second=second) for c in tick(5).cells)
        return replace(made, cells=moved) if second >= 20 else made

    cured = good_run(alerts=False, ticks=at)
    finding = judged([(FIRES, 28)], journal=cured)

    assert finding.outcome is Outcome.PASS
    assert "cured itself" in finding.summary


def test_without_load_nobody_knows_whether_resolving_early_was_right() -> None:
    finding = judged([(FIRES, 25)], drop("load.window"))

    assert finding.outcome is Outcome.INCONCLUSIVE


def test_a_fault_that_was_not_confirmed_off_has_no_after() -> None:
    finding = judged([(FIRES, 37)], drop("fault.revert", phase=Phase.OK))

    assert finding.outcome is Outcome.INCONCLUSIVE


def test_no_limit_no_question() -> None:
    endless = replace(PAYMENTS_SLOW, resolves_within_ms=None)

    assert not list(check(Case(plan(expect=expectations(alerts=(endless,))), timeline(good_run()))))


def judged(
    stretches: list[Stretch],
    *spoils: Spoil,
    gaps: Any = (),
    within_ms: int = 10_000,
    journal: Any = None,
) -> Finding:
    wall = [[ORIGIN + a * 1000, ORIGIN + b * 1000] for a, b in gaps]
    run = journal or good_run(alerts=False, read={"rules": [], "gaps": wall})
    for first, last in stretches:
        alert(run, "alert.firing", first * 1000, "PaymentsSlow", PAGE)
        if last is not None:
            alert(run, "alert.resolved", last * 1000, "PaymentsSlow", PAGE)
    wanted = replace(PAYMENTS_SLOW, resolves_within_ms=within_ms)
    setup = plan(expect=expectations(alerts=(wanted,)))
    (finding,) = check(Case(setup, timeline(run, *spoils)))
    return finding


assert FIRES < RECOVERY_S < END_S
