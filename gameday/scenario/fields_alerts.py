"""How values of expected alerts are written."""

from __future__ import annotations

from typing import Any

from gameday.model.effect import Effect, EffectError, parse_effect
from gameday.scenario.fields import pattern, split_hint
from gameday.scenario.validate import FieldError, Scalar

_NUMBER = r"\d+(?:\.\d+)?"
_SHARE = rf"{_NUMBER} ?%"
_TIME = rf"(?:{_NUMBER}(?:us|ms|s|m|h|d))+"


def _effect(value: Any) -> Effect:
    try:
        return parse_effect(value)
    except EffectError as error:
        summary, hint = split_hint(str(error))
        raise FieldError("value/effect", summary, hint) from None


EFFECT = Scalar(
    _effect,
    pattern(
        rf"errors\s+{_SHARE}|latency\s+{_TIME}(?:\s+on\s+{_SHARE})?|down",
        examples=["errors 50%", "latency 800ms"],
    ),
)
