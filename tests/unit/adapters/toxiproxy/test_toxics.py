"""What may be sent to a Toxiproxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.toxics import (
    KINDS,
    STREAMS,
    TOXICS,
    embedded_only,
    problems_of,
    show_value,
    warnings_of,
    with_defaults,
)

GOOD = {
    "latency": {"latency": 100, "jitter": 10},
    "bandwidth": {"rate": 1},
    "slow_close": {"delay": 0},
    "timeout": {"timeout": 0},
    "reset_peer": {},
    "slicer": {"average_size": 64, "size_variation": 63, "delay": 10},
    "limit_data": {"bytes": 0},
    "http_status": {"status": 503, "method": "POST, PUT", "path": "/pay*", "share": 0.2},
    "http_delay": {"delay": 100, "jitter": 10},
    "http_truncate": {"bytes": 0, "path": "*"},
    "http_corrupt": {"portion": 0.01},
    "http_header": {"remove": "Cache-Control"},
    "stall": {"loss": 0.05, "pause": 200, "longest": 3000},
    "slow_connect": {"delay": 500},
    "proxy_bandwidth": {"rate": 100},
}


def test_every_kind_has_a_good_example() -> None:
    assert GOOD.keys() == TOXICS.keys() == KINDS.keys()
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
        ("http_status", {}, "needs the attribute `status` (status)"),
        ("http_status", {"status": 600}, "is 600; it has to lie between 200 and 599"),
        ("http_status", {"status": 503.0}, "has to be a status of HTTP"),
        ("http_status", {"status": 503, "share": 1.5}, "a share from 0 to 1 (100 %)"),
        ("http_status", {"status": 503, "share": float("nan")}, "a share from 0 to 1 (100 %)"),
        ("http_status", {"status": 503, "share": True}, "a share from 0 to 1 (100 %)"),
        ("http_status", {"status": 503, "path": "pay"}, "write for example `/pay*`"),
        ("http_status", {"status": 503, "path": "/a b"}, "write for example `/pay*`"),
        ("http_status", {"status": 503, "method": "post"}, "write for example `POST`"),
        ("http_status", {"status": 503, "body": "x" * 8193}, "8193 characters, not 0 to 8192"),
        ("http_status", {"status": 503, "body": 5}, "has to be text"),
        ("http_status", {"status": 304, "body": "x"}, "leave `body` out"),
        ("http_corrupt", {"count": 1, "portion": 0.1}, "give exactly one"),
        ("http_corrupt", {}, "give exactly one"),
        ("http_corrupt", {"count": 1.5}, "has to be a whole number"),
        ("http_header", {"remove": "a: b"}, "write for example `Cache-Control`"),
        ("http_header", {"remove": "Content-LENGTH"}, "use `http_truncate`"),
        ("stall", {"loss": 1.0}, "a share from 0 to 0.9 (90 %)"),
        ("stall", {"loss": 0.1, "pause": 0}, "between 1 and"),
        ("proxy_bandwidth", {"rate": 0}, "`proxy_bandwidth.rate` is 0 KB/s"),
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


def test_what_is_not_offered_is_said() -> None:
    (problem,) = problems_of("http_delay", {"delay": 1}, 0.5)
    assert "`share` says which share of the requests" in problem
    (problem,) = problems_of("slow_connect", {"delay": 1}, 0.5, "upstream")
    assert "leave `stream` out" in problem
    assert problems_of("stall", {"loss": 0.1}, 0.5, "upstream") == ()


def test_who_has_a_toxic() -> None:
    theirs = {"latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"}
    assert {kind for kind in TOXICS if not embedded_only(kind)} == theirs
    assert not embedded_only("other")


def test_values_for_people() -> None:
    specs = {**TOXICS["http_status"], **TOXICS["stall"], **TOXICS["bandwidth"]}
    shown = {"status": 503, "path": "/pay*", "share": 0.125, "pause": 200, "rate": 100}
    assert [show_value(specs[name], value) for name, value in shown.items()] == [
        "503", "/pay*", "12.5 %", "200 ms", "100 KB/s"
    ]  # fmt: skip


def test_all_problems_at_once() -> None:
    assert len(problems_of("slicer", {"average_size": 0, "x": 1}, 7, "up")) == 4


@given(
    st.sampled_from([*TOXICS, "other"]),
    st.dictionaries(
        st.sampled_from(
            ["rate", "latency", "jitter", "average_size", "size_variation", "delay", "loss", "x"]
        ),
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
    for name, value in sent.items():
        unit = TOXICS[kind][name].unit
        assert type(value) is {"text": str, "share": float}.get(unit, int) or unit == "share"
        assert isinstance(value, str) or 0 <= value < 2**41
    assert sent.get("rate", 1) >= 1
    if kind == "slicer":
        assert 0 <= sent["size_variation"] < sent["average_size"]


def test_what_is_hardly_meant_is_a_warning() -> None:
    assert "not delayed at all" in warnings_of("latency", {"latency": 10, "jitter": 20})[0]
    assert "cannot bite" in warnings_of("bandwidth", {"rate": 1}, 0)[0]
    assert "cannot bite" in warnings_of("latency", {"latency": 0})[0]
    assert "answers is not delayed" in warnings_of("http_delay", {"delay": 10, "jitter": 20})[0]
    assert warnings_of("http_delay", {"delay": 20, "jitter": 20}) == ()
    for kind, attributes in (
        ("http_delay", {"delay": 0}),
        ("slow_connect", {"delay": 0}),
        ("http_status", {"status": 503, "share": 0.0}),
        ("stall", {"loss": 0.0}),
    ):
        (warning,) = warnings_of(kind, attributes)  # type: ignore[arg-type]
        assert "cannot bite" in warning
    assert warnings_of("latency", {"latency": 20, "jitter": 20}) == ()
