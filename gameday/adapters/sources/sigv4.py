"""Signing requests as AWS wants them (Signature Version 4). Pure.

Small on purpose: one POST with a body and no query is all that is signed here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The credentials, already resolved."""

    access_key: str
    secret_key: str
    session_token: str | None = None


def signed(
    keys: Keys,
    *,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    region: str,
    service: str,
    now_wall_ms: int,
) -> dict[str, str]:
    """The headers of a POST to *path*, signed: those given, the date, the token, the signature."""
    at = datetime.fromtimestamp(now_wall_ms / 1000, UTC)
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    sent = {**headers, "X-Amz-Date": stamp}
    if keys.session_token:
        sent["X-Amz-Security-Token"] = keys.session_token
    lower = {name.lower(): " ".join(value.split()) for name, value in sent.items()}
    lower["host"] = host
    names = ";".join(sorted(lower))
    lines = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join(["POST", quote(path or "/", safe="/-_.~"), "", lines, names, digest])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={keys.access_key}/{scope}"
    sent["Authorization"] = (
        f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    )
    return sent
