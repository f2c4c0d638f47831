"""Alertmanager: which alerts reached it, to whom they were routed, and what was held back and why.

Its API is a live view: resolved alerts vanish from it. So it is polled each second while a run
lasts, and what is read afterwards is the union of all that was seen.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from gameday.adapters.alertmanager_silences import Silences
from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.adapters.http import Answer, Http, shown
from gameday.adapters.polling import Poller, joined, settled
from gameday.adapters.prometheus_answers import strings, time_wall_ms
from gameday.adapters.server_config import routes_of
from gameday.errors import CannotSeeError
from gameday.model.event import Event
from gameday.ports import Emit

#: More alerts than this in one run are no signal any more.
MAX_ALERTS = 5_000
#: Changes of state that are kept of one alert.
MAX_STATES = 200

_ALL = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
_Key: TypeAlias = tuple[str, str]  # fingerprint, startsAt


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerHealth:
    """What a look at an Alertmanager shows. Its clock is known to half a second, or not at all."""

    url: str
    version: str
    receivers: tuple[str, ...]
    offset_ms: float | None
    error_ms: float | None

    @property
    def broken_rules(self) -> tuple[str, ...]:
        """None: it has no rules that could be in error."""
        return ()

    @property
    def text(self) -> str:
        """One line for people."""
        names = ", ".join(self.receivers) or "none"
        return f"{self.version} at {self.url}, receivers: {names}"


class AlertmanagerSource:
    """Watches one Alertmanager, and tells afterwards what it has seen there."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "alertmanager",
        poll_ms: int = 1_000,
        now_wall_ms: NowWallMs = wall_ms,
    ) -> None:
        self.name = name
        self._url = url
        self._now = now_wall_ms
        self._poller = Poller(name, self._look, every_ms=poll_ms, now_wall_ms=now_wall_ms)
        self._http: Http | None = None
        self._lock = threading.Lock()
        self._alerts: dict[_Key, dict[str, Any]] = {}
        self._silences = Silences()
        self._clock_told = False

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
        """All alerts seen there in [since, until] (our clock), for `alert.read`.

        Raises CannotSeeError if it cannot be asked now.
        """
        asked = self._now()
        with self._connect() as http:
            status, answer = http.get_json("/api/v2/status")
            names = _receivers(http)
            self._note(http)
            self._silences.look(http)
            read_wall_ms = self._now()
        route, times = routes_of(_dig(status, "config", "original"))
        offset, error = _offset(answer)
        self._poller.coverage.seen(asked, read_wall_ms)
        gaps = self._poller.coverage.gaps(since_wall_ms, until_wall_ms)
        began = time_wall_ms(_dig(status, "uptime"))
        began = None if began is None else round(began - (offset or 0))
        if began is not None and began > since_wall_ms:
            gaps.append(self._poller.restart_gap(began, since_wall_ms))
        with self._lock:
            found = [dict(a) for a in self._alerts.values()]
        alerts = [
            a
            for a in found
            if a["last_seen_wall_ms"] >= since_wall_ms
            and min(a["first_seen_wall_ms"], a["starts_wall_ms"] or until_wall_ms) <= until_wall_ms
        ]
        return {
            "alerts": alerts,
            "silences": self._silences.rows({one for a in alerts for one in a["silencedBy"]}),
            "receivers": list(names),
            "route": route,
            "times": times,
            "version": str(_dig(status, "versionInfo", "version") or ""),
            "offset_ms": offset,
            "error_ms": error,
            "since_wall_ms": since_wall_ms,
            "until_wall_ms": until_wall_ms,
            "read_wall_ms": read_wall_ms,
            "gaps": joined(gaps, since_wall_ms, until_wall_ms),
        }

    def check(self) -> AlertmanagerHealth:
        """What `gameday doctor` shows. Raises CannotSeeError."""
        with self._connect() as http:
            status, answer = http.get_json("/api/v2/status")
            raw, _ = http.get_json("/api/v2/receivers")
        offset, error = _offset(answer)
        return AlertmanagerHealth(
            url=shown(self._url),
            version=str(_dig(status, "versionInfo", "version") or "unknown"),
            receivers=receiver_names(raw),
            offset_ms=offset,
            error_ms=error,
        )

    def _connect(self) -> Http:
        return Http(self._url, what="Alertmanager", now_wall_ms=self._now)

    def _look(self, emit: Emit) -> None:
        if self._http is None:
            self._http = self._connect()
        answer = self._note(self._http)
        self._silences.look_if_due(self._http, answer.answered_wall_ms)
        offset, error = _offset(answer)
        if not self._clock_told and offset is not None:
            self._clock_told = True
            data = {"offset_ms": offset, "error_ms": error}
            emit(Event(kind="clock.offset", subject=self.name, data=data))

    def _note(self, http: Http) -> Answer:
        """Ask for all alerts, and add them to what was seen."""
        raw, answer = http.get_json("/api/v2/alerts", _ALL)
        rows = alert_rows(raw)
        now_ms = answer.answered_wall_ms
        with self._lock:
            for row in rows:
                key = (row["fingerprint"], row["startsAt"])
                known = self._alerts.get(key)
                if known is None and len(self._alerts) >= MAX_ALERTS:
                    raise CannotSeeError(
                        f"more than {MAX_ALERTS} alerts were seen at {shown(self._url)}"
                    )
                self._alerts[key] = _merged(known, row, now_ms)
        return answer


def _receivers(http: Http) -> tuple[str, ...]:
    """All receivers; none where the server does not tell (what only speaks a part of the API)."""
    try:
        return receiver_names(http.get_json("/api/v2/receivers")[0])
    except CannotSeeError:
        return ()


def receiver_names(raw: Any) -> tuple[str, ...]:
    """The names in `/api/v2/receivers`; none where the answer is odd."""
    names = [_dig(row, "name") for row in raw] if isinstance(raw, list) else []
    return tuple(str(name) for name in names if name)


def alert_rows(raw: Any) -> list[dict[str, Any]]:
    """The alerts of `/api/v2/alerts`. Raises CannotSeeError if that is no such list."""
    if not isinstance(raw, list):
        raise CannotSeeError("Alertmanager did not answer with a list of alerts")
    rows: list[dict[str, Any]] = []
    for alert in raw:
        status = _dig(alert, "status")
        if not isinstance(status, dict) or not isinstance(alert.get("labels"), dict):
            raise CannotSeeError("Alertmanager answered with an alert without labels or status")
        rows.append(
            {
                "fingerprint": str(alert.get("fingerprint", "")),
                "labels": strings(alert["labels"]),
                "annotations": strings(alert.get("annotations")),
                "startsAt": str(alert.get("startsAt", "")),
                "endsAt": str(alert.get("endsAt", "")),
                "receivers": [str(_dig(r, "name")) for r in alert.get("receivers") or ()],
                "silencedBy": [str(s) for s in status.get("silencedBy") or ()],
                "inhibitedBy": [str(s) for s in status.get("inhibitedBy") or ()],
                "state": str(status.get("state", "")),
            }
        )
    return rows


def _merged(known: dict[str, Any] | None, row: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """*row* added to what was *known* of the alert: names add up, the rest is the latest."""
    state = row.pop("state")
    starts = time_wall_ms(row["startsAt"])
    if known is None:
        return row | {
            "starts_wall_ms": starts,
            "first_seen_wall_ms": now_ms,
            "last_seen_wall_ms": now_ms,
            "states": [[now_ms, state]],
        }
    for key in ("receivers", "silencedBy", "inhibitedBy"):
        row[key] = list(dict.fromkeys([*known[key], *row[key]]))
    states = known["states"]
    if states[-1][1] != state and len(states) < MAX_STATES:
        states = [*states, [now_ms, state]]
    return known | row | {"last_seen_wall_ms": now_ms, "states": states}


def _offset(answer: Answer) -> tuple[float | None, float | None]:
    """How far its clock is ahead of ours by its `Date` header (whole seconds), and the error.

    The half second that the header may be off is part of the error. None without the header.
    """
    middle = (answer.asked_wall_ms + answer.answered_wall_ms) / 2
    half = (answer.answered_wall_ms - answer.asked_wall_ms) / 2
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError):
        return None, None
    offset = date.timestamp() * 1000 + 500 - middle
    return settled(offset, 500 + half)


def _dig(raw: Any, *keys: str) -> Any:
    for key in keys:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw
