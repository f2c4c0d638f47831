"""What a run tells other systems while it goes on and afterwards, where that is asked for.

Nothing here changes a verdict: what cannot be told is said on stderr.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gameday.errors import UsageError
from gameday.model.event import Event
from gameday.model.plan import Plan
from gameday.model.secret import SecretRef
from gameday.ports import Watcher
from gameday.secrets import resolve

if TYPE_CHECKING:
    from gameday.adapters.grafana_annotations import GrafanaAnnotations

#: Where the token of a Grafana is.
GRAFANA_TOKEN = "GAMEDAY_GRAFANA_TOKEN"  # noqa: S105 - a name, and no token


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Where to: `metrics` is an address to listen on, `grafana` the address of a Grafana."""

    metrics: str | None = None
    grafana: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a run needs for it: listeners to its events, and what has to begin and end with it."""

    listeners: tuple[Callable[[Event], None], ...] = ()
    watchers: tuple[Watcher, ...] = ()


@contextlib.contextmanager
def exporting(plan: Plan, exports: Exports) -> Iterator[Telling]:
    """Around a run. Raises RefusedError or UsageError before anything is begun."""
    grafana = _grafana(plan, exports)
    watchers = () if grafana is None else (grafana,)
    listeners = () if grafana is None else (grafana.see,)
    with _metrics(plan, exports) as more:
        yield Telling(listeners=(*more, *listeners), watchers=watchers)


def _grafana(plan: Plan, exports: Exports) -> GrafanaAnnotations | None:
    if exports.grafana is None:
        return None
    from gameday.adapters.grafana_annotations import GrafanaAnnotations

    parts = urlsplit(exports.grafana)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageError(
            "`--grafana` is the address of a Grafana, such as `https://grafana.example.org`; its "
            f"token stands in {GRAFANA_TOKEN}"
        )
    token = resolve(SecretRef(env=GRAFANA_TOKEN))
    scenario = plan.scenario
    tags = (f"scenario:{scenario.id}", f"environment:{plan.environment.name}")
    return GrafanaAnnotations(exports.grafana, token, tags=tags)


@contextlib.contextmanager
def _metrics(plan: Plan, exports: Exports) -> Iterator[list[Callable[[Event], None]]]:
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
