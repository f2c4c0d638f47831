"""The silences of an Alertmanager, as they were seen: who took an alert often silences it.

A silence names its alerts only through theirs (`silencedBy`), so what is kept here is when each
came to be. Who made it is not kept, and of its comment only whether it says `ack`.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from gameday.adapters.http import Http
from gameday.adapters.prometheus_answers import time_wall_ms
from gameday.errors import CannotSeeError

#: How often they are asked for while a run lasts: when one was made it says itself.
EVERY_MS = 5_000
#: More silences than this are not looked through.
MAX_SILENCES = 5_000


class Silences:
    """All silences seen over many looks, thread-safe. A server may not tell of any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, Any]] = {}
        self._told = False
        self._asked_wall_ms: int | None = None

    def look_if_due(self, http: Http, now_wall_ms: int) -> None:
        """Ask at the first look, and then every few seconds: what is planned must be known."""
        last = self._asked_wall_ms
        if last is None or not 0 <= now_wall_ms - last < EVERY_MS:
            self._asked_wall_ms = now_wall_ms
            self.look(http)

    def look(self, http: Http) -> None:
        """Ask for all silences. A server that does not tell of them is none that cannot be read."""
        try:
            raw, answer = http.get_json("/api/v2/silences")
            rows = silence_rows(raw)
        except CannotSeeError:
            return
        with self._lock:
            self._told = True
            for row in rows:
                fresh = {**row, "first_seen_wall_ms": answer.answered_wall_ms}
                self._seen.setdefault(row["id"], fresh)  # what it said first is when it was made

    def rows(self, ids: Collection[str]) -> list[dict[str, Any]] | None:
        """Those with these *ids*; None if the server does not tell of silences."""
        with self._lock:
            if not self._told:
                return None
            return [dict(row) for name, row in self._seen.items() if name in ids]


def silence_rows(raw: Any) -> list[dict[str, Any]]:
    """The silences of `/api/v2/silences`, times on its clock. Raises CannotSeeError."""
    if not isinstance(raw, list) or len(raw) > MAX_SILENCES:
        raise CannotSeeError("Alertmanager did not answer with a list of silences")
    rows = []
    for one in raw:
        if not isinstance(one, dict) or not one.get("id"):
            raise CannotSeeError("Alertmanager answered with a silence without id")
        status = one.get("status")
        comment = str(one.get("comment") or "").strip().lower()
        rows.append(
            {
                "id": str(one["id"]),
                "state": str(status.get("state", "")) if isinstance(status, dict) else "",
                "starts_wall_ms": time_wall_ms(one.get("startsAt")),
                "updated_wall_ms": time_wall_ms(one.get("updatedAt")),
                "says_ack": comment.startswith("ack"),
            }
        )
    return rows
