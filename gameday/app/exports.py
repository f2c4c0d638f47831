"""What a run tells other systems while it goes on and afterwards, where that is asked for.

Nothing here changes a verdict: what cannot be told is said on stderr.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gameday.app.judge import Judged
from gameday.app.notices import RunNotices, run_notices
from gameday.app.rundir import find
from gameday.errors import GamedayError, UsageError
from gameday.model.event import Event
from gameday.model.plan import Plan
from gameday.model.secret import SecretRef
from gameday.model.verdict import ExitCode
from gameday.ports import Watcher
from gameday.secrets import masked, resolve

if TYPE_CHECKING:
    from gameday.adapters.grafana_annotations import GrafanaAnnotations

#: Where the token of a Grafana is.
GRAFANA_TOKEN = "GAMEDAY_GRAFANA_TOKEN"  # noqa: S105 - a name, and no token


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Where to.

    `metrics` is an address to listen on, `grafana` and `otlp_endpoint` those of a Grafana and of a
    collector of traces.
    """

    metrics: str | None = None
    grafana: str | None = None
    otlp_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a run needs for it: listeners to its events, and what has to begin and end with it."""

    listeners: tuple[Callable[[Event], None], ...] = ()
    watchers: tuple[Watcher, ...] = ()
    notices: RunNotices | None = None  # has the last word of a run


@contextlib.contextmanager
def exporting(plan: Plan, exports: Exports) -> Iterator[Telling]:
    """Around a run. Raises RefusedError or UsageError before anything is begun."""
    if exports.otlp_endpoint is not None:
        from gameday.adapters.otlp import checked_endpoint

        checked_endpoint(exports.otlp_endpoint)
    grafana, notices = _grafana(plan, exports), run_notices(plan)
    told = [one for one in (grafana, notices) if one is not None]
    with _metrics(plan, exports) as more:
        listeners = (*more, *(one.see for one in told))
        yield Telling(listeners=listeners, watchers=tuple(told), notices=notices)


def send_afterwards(judged: Judged, exports: Exports) -> bool:
    """Send the trace of a run that is over, where that is asked for; whether it was taken."""
    if exports.otlp_endpoint is None:
        return True
    from gameday.adapters.otlp import send_trace

    try:
        send_trace(exports.otlp_endpoint, _trace(judged))
    except GamedayError as error:
        why = masked(str(error))
    except Exception as error:  # noqa: BLE001 - the run's own answer stands above its trace
        why = f"by a bug of ours: {type(error).__name__}: {error}"
    else:
        return True
    sys.stderr.write(f"gameday: the trace was not sent: {why}\n")
    return False


def trace_command(run: str, *, reports: Path, file: Path | None, endpoint: str | None) -> ExitCode:
    """Write the trace of a run to *file*, send it to *endpoint*, or both."""
    from gameday.app.judge import judge_run

    judged = judge_run(find(run, reports))
    if file is not None:
        try:
            file.write_text(_trace(judged), encoding="utf-8", newline="\n")
        except OSError as error:
            raise UsageError(f"`{file}` cannot be written: {error.strerror}") from None
        sys.stdout.write(f"wrote {file}\n")
    if not send_afterwards(judged, Exports(otlp_endpoint=endpoint)):
        return ExitCode.INCONCLUSIVE
    return ExitCode.PASS


def _trace(judged: Judged) -> str:
    from gameday.report.otlp import render

    if judged.timeline.first("run.opened") is None:
        raise UsageError("the journal does not say when the run began, so there is no trace of it")
    return render(judged.plan, judged.timeline, judged.report.verdict)


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
        if follower.error is not None:
            sys.stderr.write(f"gameday: the metrics were not whole: {follower.error!r}\n")
