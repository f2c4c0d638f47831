"""What the proof of the pipeline asks Prometheus and Alertmanager, and the alert it sends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gameday.adapters.alertmanager import alert_rows
from gameday.adapters.http import Http
from gameday.adapters.prometheus_answers import active_alerts
from gameday.errors import CannotSeeError


def is_firing(prometheus_url: str, alert: str) -> bool:
    """Whether Prometheus says that *alert* is firing now. Raises CannotSeeError."""
    with Http(prometheus_url, what="Prometheus") as http:
        rows = active_alerts(http.get_json("/api/v1/alerts")[0])
    return any(r["state"] == "firing" and r["labels"].get("alertname") == alert for r in rows)


def states_of(alertmanager_url: str, alert: str) -> frozenset[str]:
    """The states in which Alertmanager has *alert* now, empty if not at all.

    Raises CannotSeeError.
    """
    with Http(alertmanager_url, what="Alertmanager") as http:
        rows = alert_rows(http.get_json("/api/v2/alerts")[0])
    return frozenset(str(r["state"]) for r in rows if r["labels"].get("alertname") == alert)


def send_alert(
    alertmanager_url: str, labels: Mapping[str, str], *, starts_wall_ms: int, ends_wall_ms: int
) -> None:
    """Tell Alertmanager of an alert that ends by itself. Raises CannotSeeError if it may not know.

    The same labels and start with an earlier end resolve it.
    """
    row = {
        "labels": dict(labels),
        "annotations": {"summary": "gameday asks whether alerts get through; nothing is wrong"},
        "startsAt": _rfc3339(starts_wall_ms),
        "endsAt": _rfc3339(ends_wall_ms),
    }
    with Http(alertmanager_url, what="Alertmanager") as http:
        answer = http.post_json("/api/v2/alerts", [row])
    if answer.status != 200:
        raise CannotSeeError(f"Alertmanager answered {answer.status} to the alert of the proof")


def _rfc3339(wall_ms: int) -> str:
    at = datetime.fromtimestamp(wall_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
