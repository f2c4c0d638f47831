"""The small language of conditions: `errors < 1%`, `checkout p99 < 1.5s`, `steady within 60s`.

    criterion := [subject] metric op limit ["over" duration] ["for" duration]
               | "steady within" duration
    metric    := errors | goodput | p50 | p75 | p90 | p95 | p99 | p99.9
    op        := < | <= | > | >=

`subject` is the name of a journey or of one request; without it, all requests are meant. `over` is
the sliding window of a live evaluation (stop conditions, built-in alerts; 5 s unless said
otherwise), `for` how long the condition must hold without a break. In `expect` neither has a
meaning: there the phase is the window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gameday.model.units import UnitError, duration_ms, format_ms, format_ratio, ratio

METRICS = ("errors", "goodput", "p50", "p75", "p90", "p95", "p99", "p99.9")
OPERATORS = ("<", "<=", ">", ">=")
OVER_MS = 5_000

_TEXT = re.compile(
    r"(?:(?P<subject>\S.*?)\s+)?(?P<metric>\S+)\s*(?P<op><=|>=|<|>)\s*(?P<limit>[^\s<>]+(?: ?%)?)"
    r"(?:\s+over\s+(?P<over>\S+))?(?:\s+for\s+(?P<for>\S+))?"
)
_STEADY = re.compile(r"steady\s+within\s+(\S+)")


class CriterionError(ValueError):
    """A condition that cannot be read. The message says what would be right.

    `part` names what is wrong: `syntax`, `metric` or `limit` (a share or time, windows included).
    """

    def __init__(self, message: str, part: str = "syntax") -> None:
        super().__init__(message)
        self.part = part


class MetricKind(StrEnum):
    """What a metric measures, and so the unit of its limit."""

    RATIO = "ratio"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One condition. `limit` is a share for errors and goodput, milliseconds for percentiles."""

    subject: str | None
    metric: str
    op: str
    limit: float
    over_ms: int = OVER_MS
    for_ms: int = 0
    text: str = ""

    @property
    def kind(self) -> MetricKind:
        """Whether `limit` is a share or milliseconds."""
        return MetricKind.RATIO if self.metric in ("errors", "goodput") else MetricKind.LATENCY

    @property
    def quantile(self) -> float | None:
        """The quantile of a percentile metric (0.95 for `p95`), else None."""
        return float(self.metric[1:]) / 100 if self.kind is MetricKind.LATENCY else None

    def holds(self, value: float) -> bool:
        """Whether *value* (a share, or milliseconds) satisfies the condition."""
        match self.op:
            case "<":
                return value < self.limit
            case "<=":
                return value <= self.limit
            case ">":
                return value > self.limit
            case _:
                return value >= self.limit

    def show(self, value: float) -> str:
        """*value* or the limit as people write it."""
        return format_ratio(value) if self.kind is MetricKind.RATIO else format_ms(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The baseline's own expectations hold again, and stay so, at most `within_ms` after the fault.

    Counted from the moment when the last fault was confirmed off.
    """

    within_ms: int
    text: str = ""


def parse_criterion(text: object) -> Criterion | Steady:
    """Read one condition. Raises `CriterionError` with what is allowed."""
    if not isinstance(text, str):
        raise CriterionError(f"`{text}` is not a condition; write for example `errors < 1%`")
    text = " ".join(text.split())
    if steady := _STEADY.fullmatch(text):
        return Steady(within_ms=_duration(steady[1]), text=text)
    found = _TEXT.fullmatch(text)
    if found is None:
        raise CriterionError(
            f"`{text}` is not a condition; write `errors < 1%`, `checkout p99 < 1.5s`, "
            "`errors > 50% for 10s` or `steady within 60s`"
        )
    metric = found["metric"]
    if metric not in METRICS:
        raise CriterionError(
            f"`{metric}` is not a metric; there are {', '.join(METRICS)}", "metric"
        )
    return Criterion(
        subject=found["subject"],
        metric=metric,
        op=found["op"],
        limit=_limit(metric, found["limit"]),
        over_ms=_duration(found["over"]) if found["over"] else OVER_MS,
        for_ms=_duration(found["for"]) if found["for"] else 0,
        text=text,
    )


def _limit(metric: str, text: str) -> float:
    try:
        return ratio(text) if metric in ("errors", "goodput") else float(duration_ms(text))
    except UnitError as error:
        raise CriterionError(f"the limit of `{metric}`: {error}", "limit") from None


def _duration(text: str) -> int:
    try:
        return duration_ms(text)
    except UnitError as error:
        raise CriterionError(str(error), "limit") from None
