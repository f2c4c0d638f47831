"""What is read of a rule's expression."""

from __future__ import annotations

import pytest

from gameday.kpi.promql import (
    Aggregate,
    Binary,
    Call,
    Number,
    PromqlError,
    Selector,
    longest_range_ms,
    parse,
    walk,
)

RATIO = (
    'sum by (service) (rate(http_requests_total{code=~"5.."}[5s])) '
    "/ on (service) group_left () sum by (service) (rate(http_requests_total[1m30s])) > 0.05"
)


def test_a_ratio() -> None:
    tree = parse(RATIO)
    assert isinstance(tree, Binary)
    assert (tree.op, tree.right) == (">", Number(value=0.05))
    bad, every = (n for n in walk(tree) if isinstance(n, Selector))
    assert bad.matchers == (("code", "=~", "5.."),)
    assert bad.text == 'http_requests_total{code=~"5.."}'
    assert every == Selector(metric="http_requests_total", range_ms=90_000)
    assert longest_range_ms(tree) == 90_000


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3 ^ 2 ^ 1", "1 + (2 * (3 ^ (2 ^ 1)))"),
        ("a > 1 and b > 2 or c unless d", "((a > 1) and (b > 2)) or (c unless d)"),
        ("-a ^ 2", "-(a ^ 2)"),
        ("2 - 1 - 1", "(2 - 1) - 1"),
        ("sum(a) by (x)", "sum by (x) (a)"),
        ("{__name__='a', b!~`c`}", 'a{b!~"c"}'),
        ("a # what it counts\n > 1", "a > 1"),
    ],
)
def test_what_binds_how(text: str, same: str) -> None:
    assert parse(text) == parse(same)


def test_calls_ranges_and_shifts() -> None:
    inner = 'sum by (le) (rate(x_bucket{job="a"}[5m] offset 1h))'
    tree = parse(f"histogram_quantile(0.99, {inner}) > 1")
    assert isinstance(tree, Binary)
    assert isinstance(tree.left, Call)
    assert isinstance(tree.left.args[1], Aggregate)
    (selector,) = (n for n in walk(tree) if isinstance(n, Selector))
    assert selector.shifted
    assert selector.value_of("job") == "a"
    assert longest_range_ms(parse("max_over_time(a[1h:1m]) > 1")) == 3_600_000


@pytest.mark.parametrize("text", ["", "a >", "sum(", "a{b}", "a[5m", "a b", "(" * 500, "§"])
def test_what_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(PromqlError):
        parse(text)
