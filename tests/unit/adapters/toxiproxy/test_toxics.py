"""What may be sent to a Toxiproxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.toxics import STREAMS, TOXICS, problems_of, warnings_of, with_defaults

GOOD = {
    "latency": {"latency": 100, "jitter": 10},
    "bandwidth": {"rate": 1},
    "slow_close": {"delay": 0},
    "timeout": {"timeout": 0},
    "reset_peer": {},
    "slicer": {"average_size": 64, "size_variation": 63, "delay": 10},
    "limit_data": {"bytes": 0},
}


def test_every_kind_has_a_good_example() -> None:
    assert GOOD.keys() == TOXICS.keys()
    for kind, attributes in GOOD.items():
        assert problems_of(kind, attributes) == ()


@pytest.mark.parametrize(
    ("kind", "attributes", "words"),
    [
        ("bandwidth", {"rate": 0}, "`bandwidth.rate` is 0 KB/s"),
        ("bandwidth", {"rate": -5}, "`bandwidth.rate` is -5 KB/s"),
        ("bandwidth", {}, "needs the attribute `rate` (KB/s)"),
        ("slicer", {"average_size": 0}, "`slicer.average_size` is 0 bytes"),
        ("slicer", {"average_size": 10, "size_variation": 10}, "less than the average size"),
        ("latency", {"latency": 1, "jitter": 2**62}, "`latency.jitter` is"),
        ("latency", {"latency": -1}, "`latency.latency` is -1 ms"),
        ("latency", {"latency": 1.5}, "whole number of ms"),
        ("latency", {"latency": "10"}, "whole number of ms"),
        ("latency", {"latency": True}, "whole number of ms"),
        ("latency", {"latency": 1, "latncy": 2}, "no attribute `latncy`; there are latency, jitt"),
        ("packet_loss", {}, "`packet_loss` is not a toxic; there are latency,"),
    ],
)
def test_what_is_wrong_is_said(kind: str, attributes: dict[str, object], words: str) -> None:
    (problem,) = problems_of(kind, attributes)
    assert words in problem


@pytest.mark.parametrize("toxicity", [-0.1, 1.1, float("nan"), "1", True])
def test_toxicity_is_a_share(toxicity: object) -> None:
    (problem,) = problems_of("latency", {"latency": 1}, toxicity)
    assert "between 0 and 1" in problem


def test_streams() -> None:
    assert [problems_of("latency", {"latency": 1}, 1.0, s) for s in STREAMS] == [(), ()]
    (problem,) = problems_of("latency", {"latency": 1}, 1.0, "both")
    assert "`downstream` or `upstream`" in problem


def test_all_problems_at_once() -> None:
    assert len(problems_of("slicer", {"average_size": 0, "x": 1}, 7, "up")) == 4


@given(
    st.sampled_from([*TOXICS, "other"]),
    st.dictionaries(
        st.sampled_from(["rate", "latency", "jitter", "average_size", "size_variation", "x"]),
        st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none()),
    ),
    st.one_of(st.floats(), st.integers(), st.none()),
)
def test_nothing_that_ends_a_server_passes(
    kind: str, attributes: dict[str, object], toxicity: object
) -> None:
    if problems_of(kind, attributes, toxicity):
        return
    sent = with_defaults(kind, attributes)  # type: ignore[arg-type]
    assert all(type(value) is int and 0 <= value < 2**41 for value in sent.values())
    assert sent.get("rate", 1) >= 1
    if kind == "slicer":
        assert 0 <= sent["size_variation"] < sent["average_size"]


def test_what_is_hardly_meant_is_a_warning() -> None:
    assert "not delayed at all" in warnings_of("latency", {"latency": 10, "jitter": 20})[0]
    assert "cannot bite" in warnings_of("bandwidth", {"rate": 1}, 0)[0]
    assert "cannot bite" in warnings_of("latency", {"latency": 0})[0]
    assert warnings_of("latency", {"latency": 20, "jitter": 20}) == ()
