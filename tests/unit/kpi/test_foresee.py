"""When a rule fires: against the formulas of the SRE Workbook, and what was once measured."""

from __future__ import annotations

import pytest

from gameday.kpi.foresee import Interval, Route, Rule, delivered, foresee, inlined
from gameday.kpi.promql import parse
from gameday.kpi.shares import UnpredictableError
from gameday.model.effect import WORST, Effect

RATIO = (
    'sum by (service) (rate(http_requests_total{{code=~"5.."}}[{w}])) '
    "/ sum by (service) (rate(http_requests_total[{w}]))"
)


def ratio(window: str, limit: float, op: str = ">") -> str:
    return f"{RATIO.format(w=window)} {op} {limit}"


def burn(long: str, short: str) -> str:
    return f"({ratio(long, 0.0144)}) and ({ratio(short, 0.0144)})"


def errors(share: float) -> Effect:
    return Effect(kind="errors", share=share)


def rule(text: str, every_s: float = 1.0, **more: object) -> Rule:
    made = {"evaluation_ms": every_s * 1000, "scrape_ms": every_s * 1000, **more}
    return Rule(expr=parse(text), **made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "share", "for_ms", "least_ms", "most_ms", "measured"),
    [
        # least: window * limit / share, as the formula says; measured as in an earlier laboratory
        # (of the burn rate at 50 % only the slowest: the others had errors before them)
        (ratio("5s", 0.05), 0.5, 0, 350, 500, (1.49, 1.94, 2.18)),
        (ratio("5s", 0.05), 0.5, 5_000, 5_350, 5_500, (6.49, 6.94, 7.18)),
        (burn("1m", "5s"), 0.5, 0, 1_650, 1_730, (1.99,)),
        (burn("1m", "5s"), 0.02, 0, 42_400, 43_200, (44.11,)),
    ],
)
def test_against_formula_and_laboratory(  # noqa: PLR0917 - a table
    text: str,
    share: float,
    for_ms: int,
    least_ms: float,
    most_ms: float,
    measured: tuple[float, ...],
) -> None:
    seen = foresee(rule(text, for_ms=for_ms), errors(share), within_ms=120_000).firing
    assert seen is not None
    assert least_ms <= seen.earliest_ms <= most_ms
    assert seen.width_ms <= 2_000.01  # a scrape and an evaluation
    for at_s in measured:
        assert seen.holds(at_s * 1000), at_s


@pytest.mark.parametrize(
    ("share", "minutes"), [(1.0, 0.864), (0.5, 1.728), (0.1, 8.64), (0.02, 43.2)]
)
def test_the_real_burn_rate_alert(share: float, minutes: float) -> None:
    seen = foresee(rule(burn("1h", "5m"), 15), errors(share), within_ms=3_600_000).firing
    assert seen is not None
    assert seen.earliest_ms == pytest.approx(minutes * 60_000, rel=0.05)
    assert seen.width_ms <= 30_000.01


def test_what_never_fires() -> None:
    assert foresee(rule(burn("1m", "5s")), errors(0.01), within_ms=120_000).firing is None
    held = foresee(rule(ratio("5s", 0.05), for_ms=60_000), WORST, within_ms=30_000)
    assert held.firing is None
    assert held.hold_ms == 60_000


@pytest.mark.parametrize(("every_s", "hold_ms"), [(1, 5_000), (2, 6_000), (3, 6_000), (10, 10_000)])
def test_for_is_rounded_up_to_evaluations(every_s: int, hold_ms: int) -> None:
    seen = foresee(rule(ratio("30s", 0.05), every_s, for_ms=5_000), WORST, within_ms=90_000)
    assert seen.hold_ms == hold_ms


def test_good_requests_are_told_from_bad_ones() -> None:
    good = (
        'sum(rate(http_requests_total{code="200"}[5s])) / sum(rate(http_requests_total[5s])) < 0.9'
    )
    bad = foresee(rule(ratio("5s", 0.1)), errors(0.5), within_ms=60_000).firing
    assert foresee(rule(good), errors(0.5), within_ms=60_000).firing == bad
    assert foresee(rule(f"1 - {good[:-6]} > 0.1"), errors(0.5), within_ms=60_000).firing == bad


def test_latency_by_buckets_and_by_quantile() -> None:
    below = '1 - sum(rate(d_seconds_bucket{le="0.5"}[5s])) / sum(rate(d_seconds_count[5s])) > 0.2'
    slow, fast = (Effect(kind="latency", latency_ms=ms) for ms in (800, 300))
    assert foresee(rule(below), slow, within_ms=60_000).firing is not None
    assert foresee(rule(below), fast, within_ms=60_000).firing is None
    p95 = "histogram_quantile(0.95, sum by (le) (rate(d_seconds_bucket[5s]))) > 0.6"
    bounds = {"d_seconds_bucket": (0.1, 0.5, 1.0)}
    assert foresee(rule(p95, bounds=bounds), slow, within_ms=60_000).firing is not None
    assert foresee(rule(p95, bounds=bounds), fast, within_ms=60_000).firing is None
    with pytest.raises(UnpredictableError, match="buckets"):
        foresee(rule(p95), slow, within_ms=60_000)


def test_absolute_rates_depend_on_the_traffic() -> None:
    text = 'rate(http_requests_total{code="500"}[5s]) > 10'
    seen = foresee(rule(text, per_s=100.0), errors(0.5), within_ms=60_000)
    assert seen.firing is not None
    assert not seen.certain
    assert foresee(rule(text, per_s=10.0), errors(0.5), within_ms=60_000).firing is None
    with pytest.raises(UnpredictableError, match="traffic"):
        foresee(rule(text), errors(0.5), within_ms=60_000)


def test_a_series_that_begins_with_the_fault_needs_one_scrape_more() -> None:
    born = frozenset({'http_requests_total{code=~"5.."}'})
    plain = foresee(rule(ratio("5s", 0.05)), errors(0.5), within_ms=60_000).firing
    later = foresee(rule(ratio("5s", 0.05), born=born), errors(0.5), within_ms=60_000).firing
    assert plain is not None
    assert later is not None
    assert plain.earliest_ms < 500
    assert later.earliest_ms >= 900
    assert later.latest_ms > plain.latest_ms + 300


def test_a_target_that_is_down() -> None:
    seen = foresee(rule('up{job="shop"} == 0'), Effect(kind="down"), within_ms=60_000).firing
    assert seen is not None
    assert seen.width_ms <= 2_000
    assert foresee(rule("up == 0"), errors(0.5), within_ms=60_000).firing is None


@pytest.mark.parametrize(
    "text",
    [
        "rate(a_total[5s]) / rate(b_total[5s]) > 0.1",
        "node_load1 > 4",
        "absent(up)",
        "rate(http_requests_total[5s]) > 100",
        "max_over_time(up[1m]) < 1",
        "vector(1)",
        "rate(http_errors_total[5s] offset 1m) > 1",
        "topk(1, up) == 0",
    ],
)
def test_what_cannot_be_foreseen_is_said_so(text: str) -> None:
    with pytest.raises(UnpredictableError):
        foresee(rule(text, per_s=100.0), WORST, within_ms=60_000)


def test_recorded_series_stand_for_what_they_record() -> None:
    records = {"e:rate5s": parse(RATIO.format(w="5s"))}
    assert inlined(parse("e:rate5s > 0.05"), records) == parse(ratio("5s", 0.05))
    with pytest.raises(UnpredictableError, match="looked back"):
        inlined(parse("avg_over_time(e:rate5s[1m]) > 0.05"), records)
    with pytest.raises(UnpredictableError, match="one another"):
        inlined(parse("a"), {"a": parse("b"), "b": parse("a")})


def test_delivery() -> None:
    firing = Interval(earliest_ms=1_000, latest_ms=3_000)
    new = delivered(firing, Route(group_wait_ms=10_000, group_interval_ms=60_000))
    assert (new.earliest_ms, new.latest_ms) == (11_000, 14_000)
    assert new.holds(12_000)
    there = Route(group_wait_ms=1_000, group_interval_ms=60_000, group_is_there=True)
    assert delivered(firing, there) == Interval(earliest_ms=1_000, latest_ms=64_000)
    at_once = delivered(firing, Route(group_wait_ms=0, group_interval_ms=1_000))
    assert at_once == firing
