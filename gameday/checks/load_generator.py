"""load/generator: the load generator itself was not the bottleneck.

A saturated generator shows up as latency of the service. It is asked in the baseline alone: what
slows the generator down while the fault is in may be the service holding its users. Start lag is
how much later than due an arrival was taken up; its 99th percentile may be 10 ms, or a tenth of
the tightest latency limit where that is more. Of several workers the worst counts.

Documented in docs/checks/load-generator.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.generator import loop_lag_ms, start_lag
from gameday.kpi.spans import Window
from gameday.model.histogram import count
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "load/generator"


def check(case: Case) -> Iterator[Finding]:
    """One finding a run."""
    window = case.windows.get("baseline")
    if window is None:
        yield _found(Outcome.INCONCLUSIVE, "there was no baseline to see the generator in")
        return
    ticks = [
        t
        for t in case.ticks
        if window.start_ms <= t.second * 1000 and (t.second + 1) * 1000 <= window.end_ms
    ]
    if not ticks:
        yield _found(Outcome.INCONCLUSIVE, "the load sent no word in the baseline", window)
        return
    quantile, lag_ms = start_lag(ticks)
    loop_ms = loop_lag_ms(ticks)
    facts: dict[str, object] = {
        "start_lag_quantile": quantile,
        "start_lag_ms": lag_ms,
        "loop_lag_p50_ms": loop_ms,
        "cpu_share_max": max(t.cpu_share for t in ticks),
        "limit_ms": case.slack_ms,
        "n": sum(count(t.start_lag) for t in ticks),
    }
    outcome, summary = _words(case, quantile, lag_ms, loop_ms)
    yield _found(outcome, summary, window, facts)


def _words(
    case: Case, quantile: float | None, lag_ms: float | None, loop_ms: float
) -> tuple[Outcome, str]:
    allowed = f"allowed {format_ms(case.slack_ms)}"
    if lag_ms is None and case.plan.scenario.load.rates:
        summary = "too few arrivals in the baseline to say how late they were taken up"
        return Outcome.INCONCLUSIVE, summary
    lag = "" if lag_ms is None else f"p{(quantile or 0) * 100:g} of the start lag was "
    lag += "" if lag_ms is None else format_ms(lag_ms)
    if lag_ms is not None and lag_ms > case.slack_ms:
        summary = f"the load generator was saturated: {lag}, {allowed}"
        return Outcome.INCONCLUSIVE, summary
    loop = f"its loop ran {format_ms(loop_ms)} late"
    if loop_ms > case.slack_ms:
        return Outcome.INCONCLUSIVE, f"the load generator was saturated: {loop}, {allowed}"
    return Outcome.PASS, f"the load generator kept up: {lag or loop}, {allowed}"


def _found(
    outcome: Outcome,
    summary: str,
    window: Window | None = None,
    facts: dict[str, object] | None = None,
) -> Finding:
    return Finding(
        check=NAME,
        subject="load",
        outcome=outcome,
        summary=summary,
        expectation="the load generator keeps up",
        evidence=() if window is None else window.evidence,
        validity=True,
        facts=facts or {},
    )
