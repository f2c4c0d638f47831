"""Which series an expression asks for: as written, each once."""

from __future__ import annotations

import pytest

from gameday.adapters.promql_selectors import selectors_of


@pytest.mark.parametrize(
    ("query", "selectors"),
    [
        ("up", ["up"]),
        ('up{job="x"} == 0', ['up{job="x"}']),
        (
            'sum by (svc)(rate(bad{code=~"5.."}[3s])) / sum(rate(all[3s])) > 0.05',
            ['bad{code=~"5.."}', "all"],
        ),
        ("job:errors:rate5m > (14.4 * 0.001) and job:errors:rate1h > 1e-3", None),
        ('a and on (x, y) group_left (z) b{c=~"}[1]\\"z"} offset 5m', None),
        ('{__name__=~"a|b"} > bool 3 # sum(comment)', ['{__name__=~"a|b"}']),
        ("sum without (x) (a) unless count(b) by (y) @ end()", ["a", "b"]),
        ("histogram_quantile(0.5, sum by (le) (rate(h_bucket[5m]))) > 0.3", ["h_bucket"]),
        ("absent(up{a='(', b=`x`}) or vector(1) > Inf", ["up{a='(', b=`x`}"]),
        ("max_over_time(rate(a[1m])[10m:30s]) + a", ["a"]),
        ('label_replace(a, "x", "$1", "y", "(.*)")', ["a"]),
        ("1 > 2", []),
        ("", []),
    ],
)
def test_selectors(query: str, selectors: list[str] | None) -> None:
    if selectors is None:
        selectors = {
            "j": ["job:errors:rate5m", "job:errors:rate1h"],
            "a": ["a", 'b{c=~"}[1]\\"z"}'],
        }[query[0]]
    assert list(selectors_of(query)) == selectors
