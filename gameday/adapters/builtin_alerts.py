"""Alerts of gameday's own, for machines without Prometheus: evaluated each second on the load.

What is evaluated is what the load saw, so no metrics, scrapes or rules are needed. Delivery is
real: an Alertmanager-like payload is posted to the receiver, as Alertmanager would.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gameday.adapters.builtin_delivery import Notifier
from gameday.adapters.builtin_rules import Change, Rule, burn_rules, named_rules
from gameday.adapters.clock import NowWallMs
from gameday.adapters.polling import GRACE_MS, Gap, joined
from gameday.model.event import Event
from gameday.model.project import BuiltinAlert, Slo
from gameday.model.window import Tick, tick_from_json
from gameday.ports import Emit

SOURCE = "builtin"
#: A second is evaluated when all workers have told of it, at the latest this long after its end.
WAIT_MS = 1_500
#: A worker that has not told of so many seconds is not waited for any more.
GONE_S = 5
#: Without a tick for this long the alerts are blind.
BLIND_MS = 3_000
#: Ticks that wait to be evaluated; more mean that the evaluation has died.
MAX_WAITING = 10_000


class BuiltinAlerts:
    """Evaluates the built-in alerts on `load.window` events, given to `see`."""

    name = SOURCE

    def __init__(
        self,
        alerts: Sequence[BuiltinAlert],
        slos: Sequence[Slo],
        *,
        overdue_ms: int,
        receiver_url: str | Callable[[], str],
        now_wall_ms: NowWallMs,
        origin_wall_ms: int | Callable[[], int],
        service: str = "",
    ) -> None:
        self._rules: tuple[Rule, ...] = (
            *named_rules(alerts, overdue_ms=overdue_ms),
            *burn_rules(slos, overdue_ms=overdue_ms, service=service),
        )
        self._now = now_wall_ms
        self._origin = origin_wall_ms
        self._notifier = Notifier(receiver_url, now_wall_ms=now_wall_ms)
        self._ticks: queue.Queue[Mapping[str, Any] | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._waiting: dict[int, list[Tick]] = {}
        self._latest_of: dict[str, int] = {}
        self._late: list[Tick] = []
        self._evaluated: int | None = None
        self._first_ms: int | None = None
        self._lock = threading.Lock()
        self._missed: list[Gap] = []
        self._up: bool | None = None

    def start(self, emit: Emit) -> None:
        """Begin. A second start changes nothing."""
        if self._thread is None:
            self._notifier.start()
            self._thread = threading.Thread(
                target=self._run, args=(emit,), name="builtin-alerts", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Evaluate what has arrived, deliver what has changed, and end. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self._ticks.put(None, timeout=1.0)
            thread.join(2.0)
            self._notifier.stop()

    def see(self, event: Event) -> None:
        """Take note of a `load.window`; other events are ignored. Never blocks."""
        if event.kind == "load.window":
            with contextlib.suppress(queue.Full):  # the second is missed, and becomes a gap
                self._ticks.put_nowait(event.data)

    def read(self, since_wall_ms: int, until_wall_ms: int) -> Mapping[str, Any]:
        """The rules, and the seconds of [since, until] for which the load told nothing.

        The time before the first and after the last second of the load is a gap too: nothing was
        looked at then.
        """
        with self._lock:
            gaps = [list(gap) for gap in self._missed]
            first, last = self._first_ms, self._ended_ms(self._evaluated)
        if first is None or last is None:
            gaps = [[since_wall_ms, until_wall_ms]]
        else:
            edges = [[since_wall_ms, first], [last, until_wall_ms]]
            gaps += [[a, b] for a, b in edges if b - a > GRACE_MS]
        return {
            "rules": [rule.row() for rule in self._rules],
            "deliveries": self._notifier.facts(),
            "offset_ms": 0,
            "error_ms": 0,
            "since_wall_ms": since_wall_ms,
            "until_wall_ms": until_wall_ms,
            "read_wall_ms": self._now(),
            "gaps": joined(gaps, since_wall_ms, until_wall_ms),
        }

    def _run(self, emit: Emit) -> None:
        try:
            self._follow(emit)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not look like quiet
            why = f"gameday could not evaluate its alerts: {type(error).__name__}: {error}"
            emit(Event(kind="alert.source.down", subject=SOURCE, data={"error": why}))

    def _follow(self, emit: Emit) -> None:
        heard = time.monotonic()
        while True:
            try:
                raw = self._ticks.get(timeout=0.1)
            except queue.Empty:
                if (time.monotonic() - heard) * 1000 > BLIND_MS:
                    self._tell_up(emit, up=False)
            else:
                if raw is None:
                    self._evaluate(emit, all_of_them=True)
                    return
                tick = tick_from_json(raw)
                heard = time.monotonic()
                self._tell_up(emit, up=True)
                self._waiting.setdefault(tick.second, []).append(tick)
                latest = self._latest_of.get(tick.worker, tick.second)
                self._latest_of[tick.worker] = max(latest, tick.second)
            self._evaluate(emit, all_of_them=False)

    def _tell_up(self, emit: Emit, *, up: bool) -> None:
        if self._up is up or (self._up is None and not up):
            return  # before the first tick there is nothing to miss
        self._up = up
        kind = "alert.source.up" if up else "alert.source.down"
        error = "" if up else f"the load has told nothing for {BLIND_MS} ms"
        emit(Event(kind=kind, subject=SOURCE, data={"error": error}))

    def _evaluate(self, emit: Emit, *, all_of_them: bool) -> None:
        """Evaluate the seconds that are complete, in order."""
        for second in sorted(self._waiting):
            if not (all_of_them or self._complete(second)):
                return
            ticks = self._waiting.pop(second)
            if self._evaluated is None:
                with self._lock:
                    self._first_ms = self._ended_ms(second - 1)
                self._evaluated = second - 1
            if second <= self._evaluated:  # a worker that is late: it counts in the next second
                self._late.extend(ticks)
                continue
            for missing in range(self._evaluated + 1, second):
                with self._lock:
                    self._missed.append([self._end_ms(missing - 1), self._end_ms(missing)])
                self._second(emit, missing, [])
            self._second(emit, second, [*self._late, *ticks])
            self._late = []

    def _complete(self, second: int) -> bool:
        newest = max(self._latest_of.values())
        told = (at >= second for at in self._latest_of.values() if at > newest - GONE_S)
        return all(told) or self._now() > self._end_ms(second) + WAIT_MS

    def _second(self, emit: Emit, second: int, ticks: list[Tick]) -> None:
        at_ms = self._end_ms(second)
        for rule in self._rules:
            change = rule.feed(ticks, second)
            if change is not None:
                self._tell(emit, rule, change, at_ms)
        with self._lock:
            self._evaluated = second

    def _tell(self, emit: Emit, rule: Rule, change: Change, at_ms: int) -> None:
        data = {
            "source": SOURCE,
            "labels": dict(rule.labels),
            "annotations": dict(rule.annotations),
            "at_wall_ms": at_ms,
            "value": change.value,
        }
        if change.to == "resolved":
            data["was"] = change.was
        emit(Event(kind=f"alert.{change.to}", subject=rule.name, data=data))
        if change.to == "firing" or change.was == "firing":
            self._notifier.notify(rule, change.to, at_ms)

    def _end_ms(self, second: int) -> int:
        origin = self._origin() if callable(self._origin) else self._origin
        return origin + (second + 1) * 1000

    def _ended_ms(self, second: int | None) -> int | None:
        return None if second is None else self._end_ms(second)
