"""What was before the fault, and would make an alert look faster than it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from gameday.kpi.outlook_words import Finding, Level
from gameday.kpi.promql import Node, Selector, longest_range_ms, walk
from gameday.model.units import format_ms


class Past(Protocol):
    """What of a live Prometheus is asked here."""

    @property
    def grown(self) -> Mapping[tuple[str, int], float]: ...  # noqa: D102 - of LivePrometheus
    @property
    def started_wall_ms(self) -> float | None: ...  # noqa: D102
    @property
    def now_wall_ms(self) -> float: ...  # noqa: D102


def history(expr: Node, before_ms: int, past: Past) -> Iterator[Finding]:
    """Errors that are still in the longest window, and a window that is not full yet.

    *before_ms* is how long the load plays before the fault; what is older than the window by then
    does no harm.
    """
    longest = longest_range_ms(expr)
    if longest == 0:
        return
    missing = longest - before_ms
    left = _leftover(expr, past)
    if left and missing > 0:
        yield Finding(
            code="leftover",
            level=Level.WARNING,
            text=(
                f"errors of before are still in its window of {format_ms(longest)} "
                f"({left}): it would fire sooner than on a clean one; wait {format_ms(missing)}"
            ),
            wait_ms=missing,
        )
    age = None if past.started_wall_ms is None else past.now_wall_ms - past.started_wall_ms
    if age is not None and age + before_ms < longest:
        wait = round(longest - before_ms - age)
        yield Finding(
            code="cold-start",
            level=Level.WARNING,
            text=(
                f"Prometheus runs for {format_ms(round(age))} only, its window is "
                f"{format_ms(longest)}: it would fire sooner than on a full one; "
                f"wait {format_ms(wait)}"
            ),
            wait_ms=wait,
        )


def _leftover(expr: Node, past: Past) -> str:
    """The series that counted something in the longest of their windows, with how much.

    Only those that count a part which is nothing on a healthy service: conditions on a label that
    are not on the whole.
    """
    ranged = [n for n in walk(expr) if isinstance(n, Selector) and n.range_ms is not None]
    wholes = {s.text for s in ranged if _is_whole(s, ranged)}
    found: dict[str, float] = {}
    for selector in ranged:
        if selector.text in wholes or selector.metric.endswith("_bucket"):
            continue
        n = past.grown.get((selector.text, selector.range_ms or 0), 0.0)
        if n >= 1:
            found[selector.text] = max(n, found.get(selector.text, 0.0))
    return ", ".join(f"about {n:.0f} of `{text}`" for text, n in sorted(found.items()))


def _is_whole(selector: Selector, others: list[Selector]) -> bool:
    """Whether another selector of the expression is a part of this one."""
    return any(
        other.metric == selector.metric and set(selector.matchers) < set(other.matchers)
        for other in others
    )
