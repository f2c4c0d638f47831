"""promtool evaluates a rule on made-up series: it fires when it was foreseen to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gameday.adapters.rehearsal import MAX_LOOKS, rehearse
from gameday.kpi.foresee import foresee
from gameday.kpi.outlook import LivePrometheus, Record, SeriesNow, rehearsed_otherwise, rule_of
from gameday.kpi.promql import selectors
from gameday.kpi.shares import UnpredictableError
from gameday.model.effect import Effect, parse_effect

pytestmark = pytest.mark.real

RATIO = (
    'sum by (service) (rate(http_requests_total{{code=~"5..",service="a"}}[{w}]))'
    ' / sum by (service) (rate(http_requests_total{{service="a"}}[{w}]))'
)
RECORDS = {"e:5s": Record(expr=RATIO.format(w="5s"), group="g", interval_ms=1_000)}
BURN = f"{RATIO.format(w='1m')} > (14.4 * 0.001) and {RATIO.format(w='5s')} > (14.4 * 0.001)"
BUCKET = '1 - sum(rate(d_seconds_bucket{le="0.5"}[5s])) / sum(rate(d_seconds_count[5s])) > 0.2'


def made(query: str, every_s: float = 1.0, for_s: float = 0.0) -> tuple[dict[str, Any], Any]:
    row = {"name": "A", "group": "g", "query": query, "interval": every_s, "duration": for_s}
    scraped = SeriesNow(count=1, scrape_ms=every_s * 1000)
    seen = LivePrometheus(rows=[row], records=RECORDS)
    rule, _ = rule_of(row, seen, per_s=100.0)
    series = {s.text: scraped for s in selectors(rule.expr)}
    return row, rule_of(
        row, LivePrometheus(rows=[row], records=RECORDS, series=series), per_s=100.0
    )[0]


@pytest.mark.parametrize(
    ("query", "effect", "every_s", "for_s"),
    [
        ("e:5s > 0.05", "errors 50%", 1.0, 0.0),
        ("e:5s > 0.05", "errors 50%", 1.0, 5.0),
        ("e:5s > 0.05", "errors 50%", 2.0, 5.0),
        (BURN, "errors 50%", 1.0, 0.0),
        (BURN, "errors 2%", 1.0, 0.0),
        ('sum(rate(http_requests_total{code="500"}[5s])) > 10', "errors 50%", 0.5, 0.0),
        (BUCKET, "latency 800ms", 1.0, 0.0),
        (
            'sum(rate(r_total{code!~"5.."}[5s])) / sum(rate(r_total[5s])) < 0.9',
            "errors 50%",
            1.0,
            0.0,
        ),
    ],
)
def test_the_rehearsal_lies_in_the_interval(
    query: str, effect: str, every_s: float, for_s: float, real_server: Callable[..., str]
) -> None:
    row, rule = made(query, every_s, for_s)
    felt = parse_effect(effect)
    seen = foresee(rule, felt, within_ms=90_000).firing
    assert seen is not None
    fired = rehearse(
        real_server("promtool"), row, RECORDS, rule, felt, within_ms=seen.latest_ms + 5_000
    )
    assert fired is not None
    assert seen.earliest_ms <= fired <= seen.latest_ms + 0.01, (fired, seen)
    assert rehearsed_otherwise(seen, fired) is None


def test_both_say_never(real_server: Callable[..., str]) -> None:
    row, rule = made(BURN)
    felt = Effect(kind="errors", share=0.01)
    assert foresee(rule, felt, within_ms=120_000).firing is None
    assert rehearse(real_server("promtool"), row, RECORDS, rule, felt, within_ms=120_000) is None


def test_a_hold_that_is_longer_than_what_is_looked_at_is_no_never(
    real_server: Callable[..., str],
) -> None:
    row, rule = made("e:5s > 0.05", for_s=MAX_LOOKS + 60)
    felt = Effect(kind="errors", share=0.5)
    with pytest.raises(UnpredictableError, match=f"within {MAX_LOOKS} evaluations"):
        rehearse(real_server("promtool"), row, RECORDS, rule, felt, within_ms=900_000)


def test_what_cannot_be_rehearsed(real_server: Callable[..., str]) -> None:
    row, rule = made("up == 0")
    with pytest.raises(UnpredictableError):
        rehearse(real_server("promtool"), row, {}, rule, Effect(kind="down"), within_ms=9_000)
