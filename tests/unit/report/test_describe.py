"""A fault in words, of every kind."""

from __future__ import annotations

import pytest

from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.scenario import ActionSpec, FaultSpec, Stage, ToxicSpec
from gameday.report.describe import describe


def container(type_: str, **options: object) -> ActionSpec:
    return ActionSpec(family="container", type=type_, options=options)


def latency(ms: int) -> ToxicSpec:
    return ToxicSpec(type="latency", attributes={"latency": ms})


def when() -> Criterion:
    found = parse_criterion("errors < 1%")
    assert isinstance(found, Criterion)
    return found


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"down": True}, "down: connections are refused"),
        ({"toxic": latency(800)}, "latency 800 ms (downstream)"),
        ({"action": container("pause")}, "container pause"),
        (
            {"action": container("netem", delay=300, loss=0.05, rate=100)},
            "container netem: delay 300 ms, loss 5 %, rate 100 KB/s",
        ),
        ({"action": container("disk", path="/data", reserve=64_000_000)},
         "container disk: path /data, reserve 64 MB"),
        ({"action": container("cpu", cpus=0.1)}, "container cpu: cpus 0.1"),
        ({"action": ActionSpec(family="clock", type="skew", options={"offset": -300_000})},
         "clock skew: offset -5 min"),
        (
            {"action": ActionSpec(family="command", type="command", options={"inject": {"a": 1}})},
            "command: calls of its own",
        ),
        (
            {
                "toxic": latency(100),
                "stages": (
                    Stage(toxic=latency(200), after_ms=5_000),
                    Stage(toxic=latency(400), when=when()),
                    Stage(toxic=latency(800), gate="harder"),
                ),
            },
            "latency 100 ms (downstream); then latency 200 ms (downstream) after 5 s; then "
            "latency 400 ms (downstream) when errors < 1%; then "
            "latency 800 ms (downstream) at the gate harder",
        ),
    ],
)  # fmt: skip
def test_in_words(fault: dict[str, object], text: str) -> None:
    assert describe(FaultSpec(id="f", target="t", **fault)) == text  # type: ignore[arg-type]
