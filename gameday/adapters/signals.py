"""Asking the stop signals that are not the load: endpoints over HTTP, queries of a Prometheus.

Each signal has a thread of its own, so that one that hangs delays no other, and each question a
deadline that holds whatever the other side does: a name server that is silent, a header that drips.
Redirects are not followed; the answer that redirects is the answer.
"""

from __future__ import annotations

import math
import operator
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from gameday.adapters.http import Http, shown
from gameday.errors import CannotSeeError, RefusedError
from gameday.model.event import Event
from gameday.model.scenario import StopSignal
from gameday.ports import Emit

#: How long one question may take, unless the watcher is told otherwise.
TIMEOUT_S = 2.0
#: Questions of one signal that hang beyond their deadline; with so many no further one is asked.
MAX_HANGING = 3
#: How long `stop` waits for the threads, all together.
STOP_S = 1.0
_MAX_BYTES = 4 * 1024 * 1024
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSample:
    """One answer. `ok`: the question was answered; `bad`: what it says is a reason to stop.

    An `http` signal that is not answered is bad. A query that is not answered, or with no data, is
    neither: it could not be read. `value` is the status, or the value nearest to a stop.
    """

    ok: bool
    bad: bool
    value: float | int | None = None
    ms: float = 0.0
    error: str | None = None


def ask(
    signal: StopSignal, *, prometheus_url: str | None = None, timeout_s: float = TIMEOUT_S
) -> SignalSample:
    """Ask one `http` or `promql` signal once. Ends a moment after *timeout_s* at the latest."""
    return _Questions(signal, prometheus_url, timeout_s).ask()


class SignalWatcher:
    """Emits `signal.sample` for each `http` and `promql` signal, every `every_ms` of it.

    `alert` signals need no watcher of their own: alert sources tell. Raises `RefusedError` when
    there is a query and no Prometheus to ask.
    """

    def __init__(
        self,
        signals: Sequence[StopSignal],
        *,
        prometheus_url: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        asked = [s for s in signals if s.kind != "alert"]
        if prometheus_url is None and (lost := [s.text for s in asked if s.kind == "promql"]):
            raise RefusedError(
                f"the stop condition `{lost[0]}` asks a Prometheus, and this environment names "
                "none; name one under `alerting: {prometheus: …}`"
            )
        self._threads = [_Every(_Questions(s, prometheus_url, timeout_s)) for s in asked]

    def start(self, emit: Emit) -> None:
        """Begin. Returns at once; a second start changes nothing."""
        for thread in self._threads:
            thread.start(emit)

    def stop(self) -> None:
        """End, within a second; a question under way is left to its deadline. Idempotent."""
        deadline = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.end()
        for thread in self._threads:
            thread.join(deadline)


class _Every:
    """Asks one signal at its interval."""

    def __init__(self, questions: _Questions) -> None:
        self._questions = questions
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, emit: Emit) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(emit,), name="gameday-signal", daemon=True
            )
            self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def join(self, deadline: float) -> None:
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, emit: Emit) -> None:
        signal = self._questions.signal
        due = time.monotonic()
        while not self._ended.is_set():
            data = asdict(self._questions.ask())
            if not self._ended.is_set():
                emit(Event(kind="signal.sample", subject=signal.text, data=data))
            due = max(due + signal.every_ms / 1000, time.monotonic())
            self._ended.wait(due - time.monotonic())


class _Questions:
    """One signal, asked from threads that are left behind when they hang beyond the deadline."""

    def __init__(self, signal: StopSignal, prometheus_url: str | None, timeout_s: float) -> None:
        self.signal = signal
        self._prometheus_url, self._timeout_s = prometheus_url, timeout_s
        self._hanging: list[threading.Thread] = []

    def ask(self) -> SignalSample:
        """One sample; never raises, never late."""
        began = time.monotonic()
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MAX_HANGING:
            threading.Event().wait(self._timeout_s)
            return self._unanswered(f"{len(self._hanging)} earlier questions still hang", began)
        answers: queue.SimpleQueue[SignalSample] = queue.SimpleQueue()
        thread = threading.Thread(
            target=self._ask, args=(answers, began), name="gameday-question", daemon=True
        )
        thread.start()
        try:
            return answers.get(timeout=self._timeout_s)
        except queue.Empty:
            self._hanging.append(thread)
            where = shown(self.signal.url or self._prometheus_url or "")
            return self._unanswered(f"{where}: no answer within {self._timeout_s:g} s", began)

    def _ask(self, answers: queue.SimpleQueue[SignalSample], began: float) -> None:
        try:
            status_or_value, bad = self._get() if self.signal.kind == "http" else self._query()
        except CannotSeeError as error:
            answers.put(self._unanswered(str(error), began))
        except Exception as error:  # noqa: BLE001 - a bug in asking must not look like quiet
            what = f"gameday could not ask: {type(error).__name__}: {error}"
            answers.put(self._unanswered(what, began))
        else:
            answers.put(SignalSample(ok=True, bad=bad, value=status_or_value, ms=_since(began)))

    def _unanswered(self, error: str, began: float) -> SignalSample:
        """An endpoint that does not answer is bad; a query that is not answered says nothing."""
        bad = self.signal.kind == "http"
        return SignalSample(ok=False, bad=bad, ms=_since(began), error=error)

    def _get(self) -> tuple[int, bool]:
        parts = urlsplit(self.signal.url or "")
        base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        what = f"the stop signal {parts.path or '/'}"
        with self._http(base, what=what, quiet=True) as http:
            status = http.get(path).status
        return status, status >= 400

    def _query(self) -> tuple[float, bool]:
        params = {"query": self.signal.query or "", "timeout": f"{self._timeout_s:g}s"}
        with self._http(self._prometheus_url or "", what="Prometheus") as http:
            raw, _ = http.get_json("/api/v1/query", params)
        return judged(self.signal, values_of(raw))

    def _http(self, base: str, *, what: str, quiet: bool = False) -> Http:
        total_s = self._timeout_s * 0.9  # its own words for what went wrong come first
        return Http(base, what=what, total_s=total_s, max_bytes=_MAX_BYTES, quiet=quiet)


def values_of(raw: Any) -> tuple[float, ...]:
    """The values of an instant query's answer. Raises CannotSeeError unless it is one."""
    data = raw.get("data") if isinstance(raw, Mapping) else None
    kind = data.get("resultType") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or kind not in ("vector", "scalar"):
        raise CannotSeeError(
            f"the query gives a {kind or 'thing that is no result'}; "
            "a stop condition needs an instant vector or a scalar"
        )
    try:
        pairs = [data["result"]] if kind == "scalar" else [r["value"] for r in data["result"]]
        return tuple(float(value) for _, value in pairs)
    except (KeyError, TypeError, ValueError):
        raise CannotSeeError("the answer of Prometheus has no values in it") from None


def judged(signal: StopSignal, values: Sequence[float]) -> tuple[float, bool]:
    """The value nearest to a stop, and whether it is one. Raises CannotSeeError without data.

    One value beyond the limit is enough. Where none is, each has to be a number.
    """
    beyond = _OPERATORS[signal.op]
    worst = max if signal.op.startswith(">") else min
    known = [value for value in values if not math.isnan(value)]
    if known and beyond(worst(known), signal.limit):
        return worst(known), True
    if not values:
        raise CannotSeeError("the query gives no data")
    if len(known) < len(values):
        raise CannotSeeError("the query gives NaN")
    return worst(known), False


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 2)
