"""Prometheus: which alerts were pending and firing, by its own samples, and which rules there are.

While a run lasts, `/api/v1/alerts` is polled to show what happens. What is judged is read after the
fact: an instant query with a range selector returns the raw `ALERTS` samples at the times of the
evaluations (a `query_range` would round them to its step), and the rules say how often it looked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.adapters.http import Http, shown
from gameday.adapters.polling import Gap, Poller, joined, settled
from gameday.adapters.prometheus_answers import (
    active_alerts,
    holes,
    instant_wall_ms,
    late_groups,
    matrix_of,
    newest_scrapes,
    rule_rows,
    shortest_scrape_ms,
    time_wall_ms,
)
from gameday.errors import CannotSeeError
from gameday.kpi.promql import PromqlError, parse, selectors
from gameday.model.event import Event
from gameday.model.units import format_ms
from gameday.ports import Emit

#: The rules are looked at every so many polls, to see that they are still evaluated.
RULES_EVERY = 5
#: More active alerts than this are no signal any more.
MAX_ACTIVE = 5_000
#: Series of rules that did not fire are looked for, at most so many in a run.
MAX_SELECTORS = 12
#: The newest scrape of any target, asked in at most this many steps.
MAX_STEPS = 5_000

_Key: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusHealth:
    """What a look at a Prometheus shows. `interval_ms`: the longest of its alerting rules, or 0."""

    url: str
    version: str
    rules: int
    broken_rules: tuple[str, ...]
    interval_ms: float
    offset_ms: float
    error_ms: float

    @property
    def text(self) -> str:
        """One line for people."""
        broken = ", ".join(self.broken_rules)
        return (
            f"{self.version} at {self.url}, {self.rules} alerting rules"
            + (f" (in error: {broken})" if broken else "")
            + f", clock off by {format_ms(self.offset_ms)} ± {format_ms(self.error_ms)}"
        )


class PrometheusSource:
    """Watches one Prometheus, and reads it after the fact."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "prometheus",
        poll_ms: int = 1_000,
        now_wall_ms: NowWallMs = wall_ms,
        expected: Collection[str] = (),
    ) -> None:
        """*expected*: names of alerts whose rules are looked into if they never became true."""
        self.name = name
        self._expected = frozenset(expected)
        self._url = url
        self._now = now_wall_ms
        self._poller = Poller(name, self._look, every_ms=poll_ms, now_wall_ms=now_wall_ms)
        self._http: Http | None = None
        self._active: dict[_Key, dict[str, Any]] = {}
        self._seen: dict[_Key, Mapping[str, Any]] = {}
        self._polls = 0
        self._offset_ms: float | None = None
        self._stalled: list[Gap] = []

    def start(self, emit: Emit) -> None:
        """Begin to poll. Returns at once."""
        self._poller.start(emit)

    def stop(self) -> None:
        """End, within about two seconds. Idempotent."""
        self._poller.stop()
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def read(self, since_wall_ms: int, until_wall_ms: int) -> Mapping[str, Any]:
        """All it knows of [since, until] (our clock), for `alert.read`. Raises CannotSeeError.

        `gaps` names every stretch in which Prometheus did not run, did not evaluate, or could not
        be asked and left no trace of having been at work.
        """
        asked = self._now()
        with self._connect() as http:
            offset, error = _offset(http)
            began = _started_wall_ms(http)
            began = None if began is None else round(began - offset)
            rows = rule_rows(http.get_json("/api/v1/rules", {"type": "alert"})[0])
            at = (until_wall_ms + offset) / 1000
            length_ms = until_wall_ms - since_wall_ms + 1
            query = {"query": f"ALERTS[{length_ms}ms]", "time": f"{at:.3f}"}
            matrix = matrix_of(http.get_json("/api/v1/query", query)[0])
            every_ms = _scrape_interval_ms(http)
            unseen = _unseen(http, since_wall_ms, until_wall_ms, offset, every_ms)
            _look_for_series(http, self._silent(rows, matrix), at=f"{at:.3f}", length_ms=length_ms)
            read_wall_ms = self._now()
        self._poller.coverage.seen(asked, read_wall_ms)
        gaps = self._gaps(since_wall_ms, until_wall_ms, began, unseen)
        late = late_groups(rows, min(until_wall_ms, read_wall_ms) + offset)
        gaps += [[max(since_wall_ms, round(last - offset)), until_wall_ms] for last in late]
        return {
            "matrix": matrix,
            "rules": rows,
            "seen": list(self._seen.copy().values()),
            "scrape_interval_ms": every_ms,
            "offset_ms": offset,
            "error_ms": error,
            "started_wall_ms": began,
            "since_wall_ms": since_wall_ms,
            "until_wall_ms": until_wall_ms,
            "read_wall_ms": read_wall_ms,
            "gaps": joined(gaps, since_wall_ms, until_wall_ms),
        }

    def check(self) -> PrometheusHealth:
        """What `gameday doctor` shows. Raises CannotSeeError."""
        with self._connect() as http:
            offset, error = _offset(http)
            build, _ = http.get_json("/api/v1/status/buildinfo")
            rows = rule_rows(http.get_json("/api/v1/rules", {"type": "alert"})[0])
        return PrometheusHealth(
            url=shown(self._url),
            version=str(_dig(build, "data", "version") or "unknown"),
            rules=len(rows),
            broken_rules=tuple(row["name"] for row in rows if row["health"] == "err"),
            interval_ms=max((1000 * float(row["interval"] or 0) for row in rows), default=0.0),
            offset_ms=offset,
            error_ms=error,
        )

    def _silent(
        self, rows: Sequence[dict[str, Any]], matrix: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """The rules of expected alerts that were never pending nor firing."""
        active = {series["metric"].get("alertname") for series in matrix}
        wanted = self._expected - active
        return [row for row in rows if row["name"] in wanted]

    def _connect(self) -> Http:
        return Http(self._url, what="Prometheus", now_wall_ms=self._now)

    def _look(self, emit: Emit) -> None:
        """One poll: tell what has changed."""
        if self._http is None:
            self._http = self._connect()
        if self._offset_ms is None:
            self._offset_ms, error = _offset(self._http)
            data = {"offset_ms": self._offset_ms, "error_ms": error}
            emit(Event(kind="clock.offset", subject=self.name, data=data))
        raw, answer = self._http.get_json("/api/v1/alerts")
        alerts = active_alerts(raw)
        if len(alerts) > MAX_ACTIVE:
            raise CannotSeeError(
                f"{len(alerts)} alerts are active at {shown(self._url)}; "
                f"gameday follows at most {MAX_ACTIVE}"
            )
        self._tell(emit, alerts, answer.answered_wall_ms)
        if self._polls % RULES_EVERY == 0:
            self._look_at_rules(self._http, answer.answered_wall_ms)
        self._polls += 1

    def _tell(self, emit: Emit, alerts: list[dict[str, Any]], now_ms: int) -> None:
        current = {tuple(sorted(a["labels"].items())): a for a in alerts}
        for key, alert in current.items():
            self._seen[key] = {"labels": alert["labels"], "annotations": alert["annotations"]}
            before = self._active.get(key)
            was = before["state"] if before else ""
            if was != "pending" and alert["state"] == "pending":
                at = alert["active_wall_ms"] or now_ms
                emit(self._event("alert.pending", alert, at_wall_ms=at))
            if was != "firing" and alert["state"] == "firing":
                emit(self._event("alert.firing", alert, at_wall_ms=now_ms, observed=True))
        for key, alert in self._active.items():
            if key not in current:
                more = {"observed": True, "was": alert["state"]}
                emit(self._event("alert.resolved", alert, at_wall_ms=now_ms, **more))
        self._active = current

    def _event(self, kind: str, alert: Mapping[str, Any], **more: Any) -> Event:
        kept = {key: alert[key] for key in ("labels", "annotations", "value")}
        subject = alert["labels"].get("alertname", "")
        return Event(kind=kind, subject=subject, data={"source": self.name, **kept, **more})

    def _look_at_rules(self, http: Http, now_ms: int) -> None:
        """Remember stretches in which a group of rules was not evaluated."""
        offset = self._offset_ms or 0.0
        rows = rule_rows(http.get_json("/api/v1/rules", {"type": "alert"})[0])
        for last in late_groups(rows, now_ms + offset):
            self._stalled.append([round(last - offset), now_ms])

    def _gaps(
        self, since_ms: int, until_ms: int, began_ms: int | None, unseen: list[Gap] | None
    ) -> list[Gap]:
        """What was missed, as far as the polls, its start and its scrapes tell.

        A poll that failed loses nothing when the server left traces of having been at work: its
        samples were read afterwards.
        """
        found = [*self._stalled, *(unseen or ())]
        restarted = began_ms is not None and began_ms > since_ms
        if unseen is None or began_ms is None or restarted:
            found += self._poller.coverage.gaps(since_ms, until_ms)
        if began_ms is not None and restarted:
            found.append(self._poller.restart_gap(began_ms, since_ms))
        return found


def _offset(http: Http) -> tuple[float, float]:
    """How far its clock is ahead of ours (`settled`), and the error: half the round trip, in ms."""
    best: tuple[float, float] | None = None
    for _ in range(3):
        raw, answer = http.get_json("/api/v1/query", {"query": "time()"})
        error = max(0.5, (answer.answered_wall_ms - answer.asked_wall_ms) / 2)
        offset = instant_wall_ms(raw) - (answer.asked_wall_ms + answer.answered_wall_ms) / 2
        if best is None or error < best[1]:
            best = (offset, error)
    assert best is not None  # noqa: S101 - the loop ran
    return settled(*best)


def _started_wall_ms(http: Http) -> int | None:
    """When the server process began, on its clock; None if it does not say (Thanos, Mimir)."""
    try:
        raw, _ = http.get_json("/api/v1/status/runtimeinfo")
    except CannotSeeError:
        return None
    return time_wall_ms(_dig(raw, "data", "startTime"))


def _scrape_interval_ms(http: Http) -> int | None:
    """The shortest scrape interval of any target; None if it does not say."""
    try:
        return shortest_scrape_ms(http.get_json("/api/v1/targets", {"state": "active"})[0])
    except CannotSeeError:
        return None


def _unseen(
    http: Http, since_ms: int, until_ms: int, offset: float, every_ms: int | None
) -> list[Gap] | None:
    """Stretches (our clock) in which the server scraped nothing. None: it leaves no such trace."""
    step_s = max(1.0, (until_ms - since_ms) / 1000 / MAX_STEPS)
    query = {
        "query": "max(timestamp(up))",
        "start": f"{(since_ms + offset) / 1000:.3f}",
        "end": f"{(until_ms + offset) / 1000:.3f}",
        "step": f"{step_s:.3f}",
    }
    try:
        scrapes = newest_scrapes(http.get_json("/api/v1/query_range", query)[0])
    except CannotSeeError:
        return None
    if every_ms is None or not scrapes:
        return None
    longest_ms = 2 * every_ms + 1000 * step_s
    return holes([round(at - offset) for at in scrapes], since_ms, until_ms, longest_ms)


def _look_for_series(
    http: Http, rows: Sequence[dict[str, Any]], *, at: str, length_ms: int
) -> None:
    """Put into each of *rows* which series its query uses, and whether they had any sample.

    `samples` is None where that could not be asked. Only as many as `MAX_SELECTORS` are asked.
    """
    left = MAX_SELECTORS
    for row in rows:
        row["series"] = []
        for selector in _selectors(row["query"])[:left]:
            left -= 1
            query = {"query": f"count(count_over_time({selector}[{length_ms}ms]))", "time": at}
            samples: bool | None = None
            try:
                answer = _dig(http.get_json("/api/v1/query", query)[0], "data", "result")
                samples = bool(answer) if isinstance(answer, list) else None
            except CannotSeeError:
                left = 0  # what is slow or odd once is not asked again
            row["series"].append({"selector": selector, "samples": samples})
            if not left:
                return


def _selectors(query: str) -> list[str]:
    """The series that a query asks for, each once, without a range; none if it cannot be read."""
    try:
        return list(dict.fromkeys(one.text for one in selectors(parse(query))))
    except PromqlError:
        return []


def _dig(raw: Any, *keys: str) -> Any:
    for key in keys:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw
