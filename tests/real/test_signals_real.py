"""Stop signals of a real Prometheus: what trips, and what happens when it is gone."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from alerts_support import Target, get, prometheus_in, until
from ports_support import free_port

from gameday.adapters.prometheus import PrometheusSource
from gameday.adapters.signals import SignalWatcher, ask
from gameday.engine.core import Done
from gameday.engine.loop import Loop, RunClock
from gameday.engine.stop import StopConditions
from gameday.model.event import Event, Phase
from gameday.model.plan import Limits, Schedule, Step, Trigger, When
from gameday.model.scenario import StopSignal
from gameday.model.verdict import RunStatus
from gameday.ports import Watcher

pytestmark = pytest.mark.real

UP = StopSignal(
    text="up < 1 for 1s", kind="promql", query='up{job="target"}', op="<", limit=1.0,
    for_ms=1_000, every_ms=500,
)  # fmt: skip
DOWN = StopSignal(text="alert TargetDown", kind="alert", name="TargetDown")
PATIENCE_S = 60.0


class Switched(Target):
    """Its page can be made one that no scraper understands: `up` is 0 then."""

    broken = False

    def page(self) -> str:
        return "}{ nothing to scrape" if self.broken else super().page()


class Server:
    """A Prometheus that scrapes one target each second, and has one rule."""

    def __init__(self, folder: Path, binary: str) -> None:
        self.target = Switched()
        at = self.target.server.server_address[1]
        (folder / "rules.yml").write_text(
            "groups: [{name: g, rules: [{alert: TargetDown, expr: 'up{job=\"target\"} < 1'}]}]\n"
        )
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            "scrape_configs: [{job_name: target, static_configs:"
            f' [{{targets: ["127.0.0.1:{at}"]}}]}}]\n'
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = prometheus_in(folder, binary, port)

    def well(self) -> None:
        """Wait until the target is up and no alert is active."""
        self.target.broken = False
        query = f"{self.url}/api/v1/query?query=up"
        until("scraped", lambda: any(r["value"][1] == "1" for r in get(query)["data"]["result"]))
        until("quiet", lambda: not get(f"{self.url}/api/v1/alerts")["data"]["alerts"])

    def close(self) -> None:
        self.process.kill()
        self.target.close()


@pytest.fixture(name="started", scope="module")
def _started(
    tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]
) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("prometheus"), real_server("prometheus"))
    try:
        server.process.start()
        yield server
    finally:
        server.close()


@pytest.fixture(name="server")
def _server(started: Server) -> Server:
    if started.process.process is None:  # an earlier test has killed it
        started.process.start()
    started.well()
    return started


class Acts:
    """A fault that is put in and taken out in memory."""

    def __init__(self) -> None:
        self.reverted = 0

    def undo_for(self, _step: Step, _actions: Sequence[Event]) -> Mapping[str, Any]:
        return {}

    def inject(self, _step: Step, _undo: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def revert(self, _step: Step, _undo: Mapping[str, Any]) -> Mapping[str, Any]:
        self.reverted += 1
        return {"read_back": True}

    def perform(self, _step: Step) -> Mapping[str, Any]:
        return {}


class Sink(list[Event]):
    def append(self, event: Event, *, sync: bool = False) -> None:  # type: ignore[override]
        super().append(event)

    def of(self, kind: str, subject: str | None = None) -> list[Event]:
        return [e for e in list(self) if e.kind == kind and subject in (None, e.subject)]


class Run:
    """A real loop under real stop conditions; its fault goes out with the first `stop.blind`."""

    def __init__(
        self, signals: Sequence[StopSignal], watchers: Sequence[Watcher], *, lenient: bool
    ) -> None:
        blind = tuple(
            When(all_of=(Trigger(kind="stop.blind", subject=s, phase=Phase.NOTED),))
            for s in ("prometheus", *(signal.text for signal in signals))
        )
        schedule = Schedule(
            steps=(
                Step(id="in", verb="fault.inject", subject="slow", lane="t"),
                Step(id="out", verb="fault.revert", subject="slow", lane="t", when=blind),
            ),
            limits=Limits(deadline_ms=50_000),
        )
        stops = StopConditions(
            [], overdue_ms=1_000, lenient=lenient, signals=signals, alert_sources=["prometheus"]
        )
        self.sink, self.acts = Sink(), Acts()
        self._watchers = watchers
        self._loop = Loop(schedule, self.acts, RunClock.start(), self.sink, folds=[stops])
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()

    def __enter__(self) -> Run:
        for watcher in self._watchers:
            watcher.start(self._loop.emit)
        threading.Thread(target=lambda: self._done.put(self._loop.run()), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for watcher in self._watchers:
            watcher.stop()

    def done(self) -> Done:
        return self._done.get(timeout=PATIENCE_S)


def test_questions_are_answered_as_prometheus_means_them(server: Server) -> None:
    def asked(query: str, **more: Any) -> Any:
        signal = StopSignal(text=query, kind="promql", query=query, **{"limit": 1.0, **more})
        return ask(signal, prometheus_url=server.url, timeout_s=10.0)

    def short(query: str, **more: Any) -> tuple[bool, bool, object]:
        found = asked(query, **more)
        return found.ok, found.bad, found.value

    assert short("vector(1)") == (True, False, 1)
    assert short("vector(2)") == (True, True, 2)
    assert short("2") == (True, True, 2), "a scalar"
    assert short('vector(0) or label_replace(vector(7), "a", "b", "", "")') == (True, True, 7)
    assert short("up", op="<") == (True, False, 1)
    assert short("nothing_there") == (False, False, None)
    assert asked("nothing_there").error == "the query gives no data"
    assert short("vector(0) / 0") == (False, False, None)
    assert asked("vector(0) / 0").error == "the query gives NaN"
    assert short("up[5m]") == (False, False, None)
    assert "a matrix" in asked("up[5m]").error
    assert "parse error" in asked("up{").error


def test_a_query_that_goes_bad_stops_the_run(server: Server) -> None:
    watcher = SignalWatcher([UP], prometheus_url=server.url)
    with Run([UP], [watcher], lenient=False) as run:
        until("asked", lambda: run.sink.of("signal.sample"))
        server.target.broken = True
        done = run.done()

    assert done.status is RunStatus.STOPPED, done
    assert done.reason.startswith("`up < 1 for 1s`: 0 is below 1, for 1")
    assert (done.dirty, run.acts.reverted) == ((), 1)
    assert not any(e.data["bad"] for e in run.sink.of("signal.sample")[:1])


def test_an_alert_that_fires_stops_the_run(server: Server) -> None:
    source = PrometheusSource(server.url, poll_ms=250)
    with Run([DOWN], [source], lenient=True) as run:
        until("it is read", lambda: run.sink.of("alert.source.up"))
        server.target.broken = True
        done = run.done()

    assert (done.status, done.reason) == (
        RunStatus.STOPPED,
        "`alert TargetDown`: TargetDown fires",
    )
    assert (done.dirty, run.acts.reverted) == ((), 1)


def test_a_prometheus_that_is_killed_stops_the_run_or_is_only_noted(server: Server) -> None:
    """With a query and with an alert; as in staging, and as on a developer's machine."""

    def begin(stack: contextlib.ExitStack, signal: StopSignal, *, lenient: bool) -> Run:
        watcher: Watcher = (
            SignalWatcher([signal], prometheus_url=server.url)
            if signal is UP
            else PrometheusSource(server.url, poll_ms=250)
        )
        return stack.enter_context(Run([signal], [watcher], lenient=lenient))

    with contextlib.ExitStack() as stack:
        staging = [begin(stack, signal, lenient=False) for signal in (UP, DOWN)]
        local = [begin(stack, signal, lenient=True) for signal in (UP, DOWN)]
        for query, alerts in (staging, local):
            until("it is asked", lambda run=query: run.sink.of("signal.sample"))
            until("it is read", lambda run=alerts: run.sink.of("alert.source.up"))
        killed = time.monotonic()
        server.process.kill()
        stopped = [run.done() for run in staging]
        took_s = time.monotonic() - killed
        finished = [run.done() for run in local]

    assert took_s >= 4.0, "a short gap is no reason"
    for run, done in zip(staging, stopped, strict=True):
        assert done.status is RunStatus.INVALID, done
        assert "could not be read for 5" in done.reason
        assert "refused" in done.reason
        assert (done.dirty, run.acts.reverted) == ((), 1)
    for run, done, blind in zip(local, finished, (UP.text, "prometheus"), strict=True):
        assert done.status is RunStatus.COMPLETED, done
        assert (done.dirty, run.acts.reverted) == ((), 1)
        assert [e.subject for e in run.sink.of("stop.blind")] == [blind]
        assert "refused" in run.sink.of("stop.blind")[0].data["error"]
