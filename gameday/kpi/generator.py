"""Whether the load generator itself was the bottleneck over a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from gameday.model.criteria import Criterion, MetricKind
from gameday.model.histogram import count, measurable, merged, quantile_ms
from gameday.model.scenario import Expectations
from gameday.model.units import format_ms
from gameday.model.window import Tick, by_worker

#: A delay of ours below this is never worth a word, whatever the limits of the scenario.
SLACK_FLOOR_MS = 10.0
#: Share of users under way from which the service, not the generator, holds the arrivals back.
BUSY = 0.95
QUANTILES = (0.99, 0.95, 0.9, 0.75, 0.5)


def slack_ms(expect: Expectations) -> float:
    """How much delay of our own the tightest latency limit can bear: a tenth of it."""
    every = (*expect.baseline, *expect.fault, *expect.recovery)
    limits = [c.limit for c in every if isinstance(c, Criterion) and c.kind is MetricKind.LATENCY]
    return max(SLACK_FLOOR_MS, 0.1 * min(limits)) if limits else SLACK_FLOOR_MS


def start_lag(ticks: Sequence[Tick]) -> tuple[float | None, float | None]:
    """The highest percentile of the start lag that the samples can carry, and that in ms.

    Of several workers that of the worst, whom the others must not hide.
    """
    seen = [_lag(ticks), *(_lag(own) for own in by_worker(ticks).values())]
    return max(seen, key=lambda one: -1.0 if one[1] is None else one[1])


def loop_lag_ms(ticks: Sequence[Tick]) -> float:
    """How late the event loop ran in half of the seconds; of several workers that of the worst."""
    return max(
        (median(t.loop_lag_ms for t in own) for own in by_worker(ticks).values()), default=0.0
    )


def saturated(ticks: Sequence[Tick], allowed_ms: float) -> str:
    """How late the generator was in *ticks* (of a stretch), if later than allowed; else empty.

    A start lag while the service holds nearly all users is the service's.
    """
    quantile, lag_ms = start_lag([t for t in ticks if not _held(t)])
    if quantile is not None and lag_ms is not None and lag_ms > allowed_ms:
        return f"p{quantile * 100:g} of its start lag was {format_ms(lag_ms)}"
    loop_ms = loop_lag_ms(ticks)
    return f"its loop ran {format_ms(loop_ms)} late" if loop_ms > allowed_ms else ""


def _held(tick: Tick) -> bool:
    return bool(tick.users) and tick.in_flight >= BUSY * tick.users


def _lag(ticks: Sequence[Tick]) -> tuple[float | None, float | None]:
    lags = merged(t.start_lag for t in ticks)
    quantile = next((q for q in QUANTILES if measurable(count(lags), q)), None)
    return quantile, None if quantile is None else quantile_ms(lags, quantile)
