"""slo/criterion: one run per row, each with the sentence it stands for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from checks_support import (
    FAULT_S,
    RECOVERY_S,
    Spoil,
    cell,
    cells_at,
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
from gameday.checks.slo_criterion import check
from gameday.model.verdict import Outcome
from gameday.model.window import Tick

Ticks = Callable[[int], Tick | None]


def during_fault(*cells: tuple[str, int, float, str]) -> Ticks:
    def ticks(second: int) -> Tick:
        if FAULT_S < second < RECOVERY_S:
            return tick(second, [cell(second, j, n, ms, how) for j, n, ms, how in cells])
        return tick(second)

    return ticks


def only_at(at: int, *cells: tuple[str, int, float, str]) -> Ticks:
    """A whole run of nothing but these requests, in one second."""

    def ticks(second: int) -> Tick:
        made = [cell(second, j, n, ms, how) for j, n, ms, how in cells] if second == at else []
        return tick(second, made)

    return ticks


ROWS: dict[str, tuple[str, str, str, Ticks, tuple[Spoil, ...]]] = {
    "holds": ("checkout p95 < 1s", "pass", "checkout p95 was 612 ms in the fault phase", tick, ()),
    "broken": (
        "checkout p95 < 1s",
        "fail",
        "checkout p95 was 1.62 s in the fault phase, allowed < 1 s",
        during_fault(("browse", 75, 12, "ok"), ("checkout", 25, 1620, "ok")),
        (),
    ),
    "failed requests are never mixed into latency": (
        "checkout p95 < 1s",
        "pass",
        "612 ms",
        during_fault(("checkout", 20, 612, "ok"), ("checkout", 5, 5000, "timeout")),
        (),
    ),
    "but they are errors": (
        "errors < 1%",
        "fail",
        "errors were 16.67 %",
        during_fault(("checkout", 20, 612, "ok"), ("checkout", 5, 5000, "timeout")),
        (),
    ),
    "unserved arrivals are the service's failure": (
        "goodput > 99%",
        "fail",
        "goodput was",
        during_fault(("checkout", 90, 612, "ok"), ("checkout", 10, 5000, "unserved")),
        (),
    ),
    "a request by its own name": ("pay p95 < 1s", "pass", "pay p95 was 612 ms", tick, ()),
    "another journey's slowness is not its": (
        "browse p95 < 100ms", "pass", "browse p95 was 12 ms", tick, (),
    ),
    "no data is never green": (
        "errors < 1%", "inconclusive", "no requests", lambda s: tick(s, []), (),
    ),
    "no tick at all": ("errors < 1%", "inconclusive", "no requests", tick, (drop("load.window"),)),
    "a name that nobody requested": (
        "chekout errors < 1%", "inconclusive", "no requests", tick, (),
    ),
    "too few for the percentile": (
        "p95 < 1s",
        "inconclusive",
        "only 199 good answers; p95 needs 200",
        only_at(FAULT_S + 1, ("checkout", 199, 50, "ok")),
        (),
    ),
    "just enough": (
        "p95 < 1s", "pass", "50", only_at(FAULT_S + 1, ("checkout", 200, 50, "ok")), (),
    ),
    "a share finer than the samples can show": (
        "errors < 1%",
        "inconclusive",
        "99 requests cannot show",
        only_at(FAULT_S + 1, ("checkout", 99, 50, "ok")),
        (),
    ),
    "few samples still show a failure": (
        "errors < 1%",
        "fail",
        "errors were 100 %",
        only_at(FAULT_S + 1, ("checkout", 3, 50, "http_5xx")),
        (),
    ),
    "closer to the limit than a bucket is wide": (
        "p95 < 1s",
        "inconclusive",
        "too close to the limit",
        only_at(FAULT_S + 1, ("checkout", 500, 1000, "ok")),
        (),
    ),
    "edge requests are not judged": (
        "errors < 0.1%", "pass", "errors were 0 %", tick, (),
    ),
    "cut short and good so far": (
        "errors < 1%", "inconclusive", "cut short", tick, (cut(RECOVERY_S * 1000 - 5_000),),
    ),
    "cut short and bad already": (
        "errors < 1%",
        "fail",
        "cut short",
        during_fault(("checkout", 100, 5, "connection")),
        (cut(RECOVERY_S * 1000 - 5_000),),
    ),
    "never reached": (
        "errors < 1%", "inconclusive", "never reached", tick, (cut(FAULT_S * 1000 - 2_000),),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "outcome", "words", "ticks", "spoils"), ROWS.values(), ids=ROWS)
def test_outcome(
    text: str, outcome: str, words: str, ticks: Ticks, spoils: tuple[Spoil, ...]
) -> None:
    expect = expectations(baseline=(), fault=criteria(text), recovery=())
    case = Case(plan(expect=expect), timeline(good_run(ticks=ticks), *spoils))

    (finding,) = check(case)

    assert finding.outcome is Outcome(outcome), finding
    assert words in finding.summary
    assert finding.expectation == f"fault: {text}"
    assert not finding.validity


def test_each_phase_is_judged_on_its_own_seconds() -> None:
    limits = criteria("checkout p95 < 300ms")
    expect = expectations(baseline=limits, fault=limits, recovery=limits)

    findings = list(check(Case(plan(expect=expect), timeline(good_run()))))

    assert [(f.subject, f.outcome.value) for f in findings] == [
        ("baseline", "pass"),
        ("fault", "fail"),
        ("recovery", "pass"),
    ]


def test_every_request_is_counted_in_one_phase_or_at_an_edge() -> None:
    found = {
        f.subject: f.facts["n"]
        for f in check(
            Case(
                plan(
                    expect=expectations(
                        baseline=criteria("errors < 1%"),
                        fault=criteria("errors < 1%"),
                        recovery=criteria("errors < 1%"),
                    )
                ),
                timeline(good_run()),
            )
        )
    }

    made = {
        name: sum(sum(c.response.values()) for s in range(*span) for c in cells_at(s) if not c.edge)
        for name, span in {"baseline": (3, 13), "fault": (13, 33), "recovery": (33, 48)}.items()
    }
    assert found == made


def test_the_tail_of_closed_users_in_the_fault_is_said_to_be_that() -> None:
    asked = expectations(
        baseline=criteria("p95 < 300ms"),
        fault=criteria("errors < 1%", "p90 < 1s", "p95 < 1s"),
        recovery=(),
    )
    found = list(check(Case(plan(rate=None, expect=asked), timeline(good_run()))))

    said = [f.expectation for f in found if "20 closed users" in f.summary]
    assert said == ["fault: p95 < 1s"]
    assert {f.outcome for f in found} == {Outcome.PASS}
    opened = list(check(Case(plan(expect=asked), timeline(good_run()))))
    assert not any("closed" in f.summary for f in opened)
