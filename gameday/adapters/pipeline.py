"""What the proof of the pipeline asks Prometheus and Alertmanager, and the alert it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gameday.adapters.alertmanager import alert_rows
from gameday.adapters.http import Http
from gameday.adapters.live_servers import global_of
from gameday.adapters.prometheus_answers import active_alerts, strings
from gameday.errors import CannotSeeError


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThere:
    """The states in which Alertmanager has an alert; `others`: one of its name is no such alert."""

    states: frozenset[str]
    others: bool


def labels_of_firing(prometheus_url: str, alert: str) -> Sequence[Mapping[str, str]]:
    """The labels with which *alert*, firing now, is sent to Alertmanager; none if it is not.

    With the external labels, where Prometheus tells its configuration. Raises CannotSeeError.
    """
    with Http(prometheus_url, what="Prometheus") as http:
        rows = active_alerts(http.get_json("/api/v1/alerts")[0])
        own = [
            r["labels"]
            for r in rows
            if r["state"] == "firing" and r["labels"].get("alertname") == alert
        ]
        external = strings(global_of(http).get("external_labels")) if own else {}
    return [{**external, **labels} for labels in own]


def alert_there(
    alertmanager_url: str, alert: str, labels: Sequence[Mapping[str, str]]
) -> AlertThere:
    """How Alertmanager has *alert* now, sent with any of *labels*. Raises CannotSeeError.

    Labels that are not there say nothing: Prometheus may be told to drop some of them on the way.
    """
    with Http(alertmanager_url, what="Alertmanager") as http:
        rows = alert_rows(http.get_json("/api/v2/alerts")[0])
    named = [r for r in rows if r["labels"].get("alertname") == alert]
    ours = [r for r in named if any(_may_be(r["labels"], sent) for sent in labels)]
    return AlertThere(
        states=frozenset(str(r["state"]) for r in ours), others=len(ours) < len(named)
    )


def _may_be(there: Mapping[str, str], sent: Mapping[str, str]) -> bool:
    return all(there.get(name, value) == value for name, value in sent.items())


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
