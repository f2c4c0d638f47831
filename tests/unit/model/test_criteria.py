"""The language of conditions."""

from __future__ import annotations

import pytest

from gameday.model.criteria import (
    OVER_MS,
    Criterion,
    CriterionError,
    MetricKind,
    Steady,
    parse_criterion,
)

READ: dict[str, dict[str, object]] = {
    "errors < 1%": {"subject": None, "metric": "errors", "op": "<", "limit": 0.01},
    "errors<0.5%": {"metric": "errors", "op": "<", "limit": 0.005},
    "goodput >= 99.9 %": {"metric": "goodput", "op": ">=", "limit": 0.999},
    "checkout p99 < 1.5s": {"subject": "checkout", "metric": "p99", "limit": 1500.0},
    "GET /products p95 <= 300ms": {"subject": "GET /products", "op": "<=", "limit": 300.0},
    "p99.9 < 2s": {"metric": "p99.9", "limit": 2000.0},
    "errors > 50% for 10s": {"op": ">", "for_ms": 10_000, "over_ms": OVER_MS},
    "errors > 50% over 1m for 10s": {"over_ms": 60_000, "for_ms": 10_000},
    "p50  >  20ms   over 1s": {"over_ms": 1_000, "for_ms": 0, "limit": 20.0},
}


@pytest.mark.parametrize("text", READ)
def test_read(text: str) -> None:
    found = parse_criterion(text)

    assert isinstance(found, Criterion)
    assert {name: getattr(found, name) for name in READ[text]} == READ[text]
    assert found.text == " ".join(text.split())


def test_steady() -> None:
    assert parse_criterion("steady within 60s") == Steady(
        within_ms=60_000, text="steady within 60s"
    )


REFUSED = {
    "errors": "is not a condition",
    "": "is not a condition",
    "errors = 1%": "is not a condition",
    "errors < 1% for": "is not a condition",
    "latency < 1s": "`latency` is not a metric; there are errors, goodput, p50",
    "errors < 1": "the limit of `errors`: `1` is not a share",
    "errors < 1s": "the limit of `errors`",
    "p95 < 300": "the limit of `p95`: `300` is not a duration",
    "p95 < 5%": "the limit of `p95`",
    "errors < 1% over 5": "`5` is not a duration",
    "steady within 5": "`5` is not a duration",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(CriterionError) as caught:
        parse_criterion(text)
    assert REFUSED[text] in str(caught.value)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(CriterionError, match="`5` is not a condition"):
        parse_criterion(5)


@pytest.mark.parametrize(
    ("op", "below", "equal", "above"),
    [("<", True, False, False), ("<=", True, True, False),
     (">", False, False, True), (">=", False, True, True)],
)  # fmt: skip
def test_holds(op: str, below: bool, equal: bool, above: bool) -> None:
    found = parse_criterion(f"p95 {op} 100ms")
    assert isinstance(found, Criterion)

    assert [found.holds(v) for v in (99.9, 100.0, 100.1)] == [below, equal, above]


def test_kind_quantile_and_words() -> None:
    errors, p95 = parse_criterion("errors < 1%"), parse_criterion("p95 < 1s")
    tail = parse_criterion("p99.9 < 1s")
    assert isinstance(errors, Criterion)
    assert isinstance(p95, Criterion)
    assert isinstance(tail, Criterion)
    assert (errors.kind, errors.quantile, errors.show(0.25)) == (MetricKind.RATIO, None, "25 %")
    assert (p95.kind, p95.quantile, p95.show(800)) == (MetricKind.LATENCY, 0.95, "800 ms")
    assert tail.quantile == pytest.approx(0.999)
