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
    selectors,
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


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("up", ["up"]),
        ('up{job="x"} == 0', ['up{job="x"}']),
        (
            'sum by (svc)(rate(bad{code=~"5.."}[3s])) / sum(rate(all[3s])) > 0.05',
            ['bad{code=~"5.."}', "all"],
        ),
        (
            "job:errors:rate5m > (14.4 * 0.001) and job:errors:rate1h > 1e-3",
            ["job:errors:rate5m", "job:errors:rate1h"],
        ),
        (
            'a and on (x, y) group_left (z) b{c=~"}[1]\\"z"} offset 5m',
            ["a", 'b{c=~"}[1]\\"z"}'],
        ),
        ('{__name__=~"a|b"} > bool 3 # sum(comment)\n', ['{__name__=~"a|b"}']),
        ('{__name__=~"a|b"} > bool 3 # sum(comment)', ['{__name__=~"a|b"}']),
        ("sum without (x) (a) unless count(b) by (y) @ end()", ["a", "b"]),
        ("histogram_quantile(0.5, sum by (le) (rate(h_bucket[5m]))) > 0.3", ["h_bucket"]),
        ("absent(up{a='(', b=`x`}) or vector(1) > Inf", ['up{a="(", b="x"}']),
        ("max_over_time(rate(a[1m])[10m:30s]) + a", ["a", "a"]),
        ('label_replace(a, "x", "$1", "y", "(.*)")', ["a"]),
        ("limitk by (x) (3, a) or limit_ratio(0.5, b)", ["a", "b"]),
        ('{"http.requests", "le gal"="b"}', ['{__name__="http.requests", "le gal"="b"}']),
        ("1 > 2", []),
    ],
)
def test_the_series_that_an_expression_asks_for(query: str, texts: list[str]) -> None:
    assert [one.text for one in selectors(parse(query))] == texts
    for text in texts:  # what is written can be asked for
        assert [one.text for one in selectors(parse(text))] == [text]
