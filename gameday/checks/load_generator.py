"""load/generator: the load generator itself was not the bottleneck.

A saturated generator shows up as latency of the service. It is asked in the baseline alone: what
slows the generator down while the fault is in may be the service holding its users. Start lag is
how much later than due an arrival was taken up; its 99th percentile may be 10 ms, or a tenth of
the tightest latency limit where that is more. Of several workers the worst counts.

Documented in docs/checks/load-generator.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from gameday.checks.case import Case
from gameday.kpi.generator import QUANTILES
from gameday.kpi.spans import Window
from gameday.model.histogram import count, measurable, merged, quantile_ms
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome
from gameday.model.window import Tick

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
    lags = merged(t.start_lag for t in ticks)
    by_worker = [[t for t in ticks if t.worker == name] for name in {t.worker for t in ticks}]
    # of several workers the worst, which the others may not hide
    seen = [_lag(ticks), *map(_lag, by_worker)]
    quantile, lag_ms = max(seen, key=lambda one: -1.0 if one[1] is None else one[1])
    loop_ms = max(median(t.loop_lag_ms for t in own) for own in by_worker)
    facts: dict[str, object] = {
        "start_lag_quantile": quantile,
        "start_lag_ms": lag_ms,
        "loop_lag_p50_ms": loop_ms,
        "cpu_share_max": max(t.cpu_share for t in ticks),
        "limit_ms": case.slack_ms,
        "n": count(lags),
    }
    outcome, summary = _words(case, quantile, lag_ms, loop_ms)
    yield _found(outcome, summary, window, facts)


def _lag(ticks: list[Tick]) -> tuple[float | None, float | None]:
    """The highest percentile of the start lag that the samples can carry, in ms."""
    lags = merged(t.start_lag for t in ticks)
    quantile = next((q for q in QUANTILES if measurable(count(lags), q)), None)
    return quantile, None if quantile is None else quantile_ms(lags, quantile)


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
