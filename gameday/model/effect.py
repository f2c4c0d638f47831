"""What requests are taken to feel of a fault, so that it can be said when an alert will fire."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gameday.model.units import UnitError, duration_ms, format_ms, format_ratio, ratio

_ERRORS = re.compile(r"errors (\S+ ?%)")
_LATENCY = re.compile(r"latency (\S+)(?: on (\S+ ?%))?")


class EffectError(ValueError):
    """An effect that cannot be read. The message says what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What requests feel from the first moment: a share of them.

    `errors`: they fail. `latency`: they take `latency_ms`. `down`: the service does not answer its
    scrapes. `worst`: all of that, to all requests; nothing can be noticed sooner.
    """

    kind: str
    share: float = 1.0
    latency_ms: int | None = None

    @property
    def bad_share(self) -> float:
        """The share of requests that fail."""
        return self.share if self.kind in ("errors", "worst") else 0.0

    @property
    def is_gone(self) -> bool:
        """Whether the service does not answer its scrapes."""
        return self.kind in ("down", "worst")

    def slower_than(self, bound_s: float) -> float:
        """The share of requests that take longer than *bound_s* seconds."""
        if self.kind == "worst":
            return self.share
        return self.share if (self.latency_ms or 0) > bound_s * 1000 else 0.0

    @property
    def text(self) -> str:
        """As it is written."""
        match self.kind:
            case "errors":
                return f"errors {format_ratio(self.share)}"
            case "latency":
                on = "" if self.share >= 1 else f" on {format_ratio(self.share)}"
                return f"latency {format_ms(self.latency_ms or 0)}{on}"
            case "down":
                return "down"
            case _:
                return "every request fails at once"


#: Nothing can be noticed sooner than under this.
WORST = Effect(kind="worst")


def parse_effect(text: object) -> Effect:
    """Read `errors 50%`, `latency 800ms`, `latency 800ms on 30%` or `down`. Raises EffectError."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    try:
        if found := _ERRORS.fullmatch(words):
            return Effect(kind="errors", share=_share(found[1]))
        if found := _LATENCY.fullmatch(words):
            share = 1.0 if found[2] is None else _share(found[2])
            return Effect(kind="latency", latency_ms=duration_ms(found[1]), share=share)
    except UnitError as error:
        raise EffectError(str(error)) from None
    if words == "down":
        return Effect(kind="down")
    raise EffectError(
        f"`{text}` is no effect; write `errors 50%`, `latency 800ms`, `latency 800ms on 30%` "
        "or `down`"
    )


def _share(text: str) -> float:
    share = ratio(text)
    if share <= 0:
        raise EffectError(f"`{text}` of the requests is no effect; write more than `0%`")
    return share
