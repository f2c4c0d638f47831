"""Delivers the built-in alerts: posts what Alertmanager would post, from a thread of its own."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gameday.adapters.builtin_rules import Rule
from gameday.adapters.clock import NowWallMs
from gameday.adapters.http import Http
from gameday.errors import CannotSeeError

#: Notifications that wait; more are dropped and counted.
MAX_WAITING = 1_000
#: How often one notification is tried, and the pause before each further try.
PAUSES_S = (0.0, 0.2, 0.5, 1.0)
POST_S = 2.0

_NEVER = "0001-01-01T00:00:00Z"


class Notifier:
    """Posts alerts to one receiver, in order."""

    def __init__(self, url: str | Callable[[], str], *, now_wall_ms: NowWallMs) -> None:
        self._url = url
        self._now = now_wall_ms
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._sent = 0
        self._failed = 0
        self._error = ""

    def start(self) -> None:
        """Begin."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="builtin-delivery", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, for at most two seconds, and end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ending.set()
            self._waiting.put(None)
            thread.join(2.0)

    def notify(self, rule: Rule, state: str, at_ms: int) -> None:
        """Have *rule*'s new state (firing or resolved) delivered. Never blocks."""
        if state == "firing":
            rule.started_wall_ms = at_ms
        ends = _NEVER if state == "firing" else _rfc3339(at_ms)
        try:
            self._waiting.put_nowait(payload(rule, state, rule.started_wall_ms, ends))
        except queue.Full:
            self._failed += 1
            self._error = f"more than {MAX_WAITING} notifications wait"

    def facts(self) -> dict[str, Any]:
        """How many were sent, how many were not, and why."""
        return {"sent": self._sent, "failed": self._failed, "error": self._error}

    def _run(self) -> None:
        while (body := self._waiting.get()) is not None:
            try:
                self._post(body)
                self._sent += 1
            except CannotSeeError as error:
                self._failed += 1
                self._error = str(error)

    def _post(self, body: Mapping[str, Any]) -> None:
        """Raises CannotSeeError when no try was taken."""
        url = urlsplit(self._url() if callable(self._url) else self._url)
        why = ""
        for pause_s in PAUSES_S:
            if pause_s and self._ending.wait(pause_s):
                break
            # The path holds the receiver's token: it is kept out of every message.
            server = f"{url.scheme}://{url.netloc}"
            with Http(server, what="the receiver", total_s=POST_S, quiet=True) as http:
                try:
                    answer = http.post_json(url.path, body)
                except CannotSeeError as error:
                    why = str(error)
                    continue
            if answer.status < 300:
                return
            why = f"the receiver answered {answer.status}"
        raise CannotSeeError(why or "the run ended before it could be delivered")


def payload(rule: Rule, state: str, started_ms: int, ends: str) -> dict[str, Any]:
    """A webhook body of Alertmanager's version 4 with this one alert."""
    alert = {
        "status": state,
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "startsAt": _rfc3339(started_ms),
        "endsAt": ends,
        "generatorURL": "",
        "fingerprint": fingerprint(rule.labels),
    }
    return {
        "receiver": rule.receiver,
        "status": state,
        "alerts": [alert],
        "groupLabels": {"alertname": rule.name},
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": "",
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{rule.name}"}}',
        "truncatedAlerts": 0,
    }


def fingerprint(labels: Mapping[str, str]) -> str:
    """A short name for a label set."""
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]


def _rfc3339(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
