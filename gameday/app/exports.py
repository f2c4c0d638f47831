"""What a run tells other systems while it goes on and afterwards, where that is asked for.

Nothing here changes a verdict: what cannot be told is said on stderr.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gameday.model.event import Event
from gameday.model.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Where to: `metrics` is an address to listen on."""

    metrics: str | None = None


@contextlib.contextmanager
def exporting(plan: Plan, exports: Exports) -> Iterator[list[Callable[[Event], None]]]:
    """Listeners to the events of a run. Raises RefusedError or UsageError before it begins."""
    if exports.metrics is None:
        yield []
        return
    from gameday.adapters.metrics_endpoint import MetricsEndpoint
    from gameday.report.live import LiveFollower
    from gameday.report.openmetrics import MetricsView

    view = MetricsView(plan)
    endpoint = MetricsEndpoint(exports.metrics, view.text)
    sys.stderr.write(f"gameday: metrics at {endpoint.url}\n")
    follower = LiveFollower(view)
    try:
        yield [follower.emit]
    finally:
        follower.close()
        endpoint.close()
