"""Sends a trace to a collector: OTLP over HTTP, as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from gameday import secrets
from gameday.adapters.http import Http, shown
from gameday.errors import CannotSeeError, UsageError

TOTAL_S = 10.0
#: As every exporter of OpenTelemetry has it: `name=value,name=value`, percent-encoded.
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
_PATH = "/v1/traces"


def checked_endpoint(url: str) -> str:
    """Where traces go, below *url*. Raises UsageError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageError(
            "`--otlp-endpoint` is the address of a collector, such as `http://127.0.0.1:4318`; "
            f"what it asks for stands in {HEADERS}"
        )
    text = url.rstrip("/")
    return text if parts.path.rstrip("/").endswith(_PATH) else text + _PATH


def send_trace(url: str, body: str) -> None:
    """POST it once. Raises CannotSeeError when it was not taken, or not all of it."""
    endpoint = checked_endpoint(url)
    headers = {**_headers(), "Content-Type": "application/json"}
    with Http(endpoint, what="the collector", total_s=TOTAL_S) as http:
        answer = http.ask("POST", "", headers=headers, data=body.encode("utf-8"))
    if not 200 <= answer.status < 300:
        raise CannotSeeError(f"the collector at {shown(endpoint)} answered {answer.status}")
    rejected = _rejected(answer.body)
    if rejected:
        raise CannotSeeError(f"the collector at {shown(endpoint)} did not take all: {rejected}")


def _rejected(body: bytes) -> str:
    """What the collector says that it did not take; empty if nothing."""
    try:
        partial = json.loads(body or b"{}").get("partialSuccess") or {}
        number = int(partial.get("rejectedSpans") or 0)
        said = str(partial.get("errorMessage") or "")
    except (ValueError, AttributeError, TypeError):
        return ""  # it has answered that it took it
    return f"{number} spans rejected{': ' if said else ''}{said}" if number or said else ""


def _headers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in environment.get(HEADERS, "").split(","):
        name, is_pair, value = pair.partition("=")
        if is_pair and name.strip():
            found[name.strip()] = unquote(value.strip())
            secrets.remember(found[name.strip()])
    return found
