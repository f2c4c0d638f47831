"""What alert webhooks say: secrets masked first, then one delivery for each alert. Pure.

Alertmanager's version 4 is read, and Grafana's superset of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from gameday.adapters.prometheus_answers import strings, time_wall_ms
from gameday.errors import CannotSeeError

MASK = "***"
#: Deeper nesting than this is no alert.
MAX_DEPTH = 40

_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:authorization|cookie|password|passwd|secret|credentials?|token|"
    r"(?:routing|service|integration|api|access|private)[_-]?key)$|^apikey$",
    re.IGNORECASE,
)
_SECRET_URL = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)|[\w.-]*webhook\.office\.com|"
    r"(?:canary\.|ptb\.)?discord(?:app)?\.com/api/webhooks)/[^\s\"'<>]+"
)
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@", re.IGNORECASE)
_SECRET_QUERY = re.compile(
    r"([?&](?:sig|signature|token|key|api_?key|secret|password)=)[^\s&#\"'<>]+", re.IGNORECASE
)


class MalformedError(ValueError):
    """A payload that no known sender would send. The message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert of one notification, or (`acknowledged`) that somebody took it."""

    alert: str
    status: str  # firing, resolved or acknowledged
    receiver: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_wall_ms: int | None
    ends_wall_ms: int | None
    fingerprint: str
    group: str
    dialect: str  # alertmanager or grafana
    acknowledged_wall_ms: int | None = None  # as the sender says


def masked(raw: Any, depth: int = 0) -> Any:
    """*raw* (JSON) with the values of known secret fields, and secrets in URLs, replaced."""
    if depth > MAX_DEPTH:
        raise MalformedError(f"the payload is nested deeper than {MAX_DEPTH}")
    if isinstance(raw, dict):
        return {
            key: MASK
            if _SECRET_KEY.search(key) and not isinstance(value, (dict, list))
            else masked(value, depth + 1)
            for key, value in raw.items()
        }
    if isinstance(raw, list):
        return [masked(value, depth + 1) for value in raw]
    return _masked_text(raw) if isinstance(raw, str) else raw


def _masked_text(text: str) -> str:
    text = _SECRET_URL.sub(lambda found: _host_only(found[0]), text)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    return _SECRET_QUERY.sub(rf"\1{MASK}", text)


def _host_only(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{MASK}", "", ""))


def deliveries(raw: Any, *, receiver: str = "") -> tuple[Delivery, ...]:
    """The alerts of one webhook body; *receiver* (of the path) wins over the payload's own name.

    Raises MalformedError when any part of it cannot be read: half a notification is none.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("alerts"), list):
        raise MalformedError("the payload is no Alertmanager webhook: it has no list `alerts`")
    name = receiver or raw.get("receiver")
    if not isinstance(name, str) or not name:
        raise MalformedError("the payload names no `receiver`")
    dialect = "grafana" if "orgId" in raw else "alertmanager"
    group = str(raw.get("groupKey", ""))
    return tuple(_delivery(alert, name, group, dialect) for alert in raw["alerts"])


def _delivery(alert: Any, receiver: str, group: str, dialect: str) -> Delivery:
    if not isinstance(alert, dict):
        raise MalformedError("an entry of `alerts` is no mapping")
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise MalformedError(f"an alert has the status `{status}`; known are firing and resolved")
    try:
        labels, annotations = strings(alert.get("labels")), strings(alert.get("annotations"))
    except CannotSeeError:
        raise MalformedError("an alert has labels or annotations that are no mapping") from None
    return Delivery(
        alert=labels.get("alertname", ""),
        status=status,
        receiver=receiver,
        labels=labels,
        annotations=annotations,
        starts_wall_ms=time_wall_ms(alert.get("startsAt")),
        ends_wall_ms=time_wall_ms(alert.get("endsAt")),
        fingerprint=str(alert.get("fingerprint", "")),
        group=group,
        dialect=dialect,
    )
