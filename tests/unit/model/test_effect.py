"""What requests are taken to feel of a fault."""

from __future__ import annotations

import pytest

from gameday.model.effect import WORST, Effect, EffectError, parse_effect


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("errors 50%", Effect(kind="errors", share=0.5)),
        ("latency 800ms", Effect(kind="latency", latency_ms=800)),
        ("latency  1s on 30%", Effect(kind="latency", latency_ms=1000, share=0.3)),
        ("down", Effect(kind="down")),
    ],
)
def test_read_and_written(text: str, effect: Effect) -> None:
    assert parse_effect(text) == effect
    assert parse_effect(effect.text.replace(" %", "%").replace(" ms", "ms").replace(" s", "s")) == (
        effect
    )


@pytest.mark.parametrize(
    "text", [None, 5, "", "errors", "errors 0%", "errors 120%", "latency 5", "up"]
)
def test_what_is_no_effect(text: object) -> None:
    with pytest.raises(EffectError):
        parse_effect(text)


def test_what_requests_feel() -> None:
    slow = parse_effect("latency 800ms on 30%")
    assert (slow.slower_than(0.5), slow.slower_than(0.8), slow.bad_share) == (0.3, 0.0, 0.0)
    assert (WORST.bad_share, WORST.slower_than(1e9), WORST.is_gone) == (1.0, 1.0, True)
