"""A journey from a recording of a browser (HAR 1.2). What looks like a secret is never written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from gameday.errors import UsageError
from gameday.scenario.import_openapi import variable
from gameday.scenario.import_parts import Part, read_document
from gameday.scenario.import_secrets import Secrets
from gameday.scenario.import_yaml import (
    MAX_BODY,
    MAX_STEPS,
    Imported,
    ImportedStep,
    fits,
    one_line,
    text_of,
)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
#: Headers that are written; browsers send many others, and any of them may say who somebody is.
KEPT = {
    "accept": "Accept",
    "accept-language": "Accept-Language",
    "x-requested-with": "X-Requested-With",
}
#: A pause is at most so long; shorter ones than the other are none.
MAX_THINK_MS, MIN_THINK_MS = 30_000, 100
MAX_PATH = 2_000
_STATIC_KIND = re.compile(
    r"(image|font|audio|video)/|text/css|.*(javascript|ecmascript|wasm|font)", re.IGNORECASE
)
_STATIC_NAME = re.compile(
    r"\.(css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|otf|eot|mp[34]|webm|wasm)$",
    re.IGNORECASE,
)
_ID = re.compile(
    r"[0-9]+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[0-9a-f]*[0-9])[0-9a-f]{12,}|(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One request of the recording."""

    request: Part
    response: Part
    method: str
    origin: str
    path: str
    query: str
    begun_ms: float | None
    took_ms: float


def from_har(path: Path, *, host: str | None = None, everything: bool = False) -> Imported:
    """The requests to one host, in order, as one journey. Raises `UsageError`."""
    root = read_document(path, json_only=True)
    log = root.child("log")
    if not log:
        root.wrong("has no `log`; a HAR file is what a browser saves from its network tools")
    entries = [entry for one in log.child("entries").parts() for entry in _entry(one)]
    if not everything:
        entries = [entry for entry in entries if not _is_static(entry)]
    origin = _origin(entries, host, root)
    made = Imported(source=f"the recording {path.name}", origin=one_line(origin, 100))
    elsewhere = sorted({entry.origin for entry in entries} - {origin})
    if elsewhere:
        made.note(f"requests to {', '.join(elsewhere[:5])} are left out; see `--host`")
    mine = [entry for entry in entries if entry.origin == origin]
    secrets = Secrets()
    steps = [step for entry in mine if (step := _step(entry, secrets, made)) is not None]
    if not steps:
        log.child("entries").wrong(f"has no request to {origin} that can be a step")
    if len(steps) > MAX_STEPS:
        made.note(f"only the first {MAX_STEPS} of {len(steps)} requests are here")
    made.journeys["recorded"] = steps[:MAX_STEPS]
    made.think_ms = _think_ms(mine)
    for name in secrets.found:
        made.note(
            f"a value that looks like a secret was left out: `{{{{ {name} }}}}` stands for it"
        )
    return made


def _entry(entry: Part) -> Iterator[_Entry]:
    """An entry, if it is a request by HTTP that a step can make, and was answered."""
    request, response = entry.child("request"), entry.child("response")
    method, url = request.child("method").text().upper(), request.child("url").text()
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        request.child("url").wrong("is no address")
    if parts.scheme not in ("http", "https") or not netloc or method not in METHODS:
        return
    if response.child("status").number() < 100:
        return  # broken off
    yield _Entry(
        request=request,
        response=response,
        method=method,
        origin=f"{parts.scheme}://{netloc}",
        path=parts.path or "/",
        query=parts.query,
        begun_ms=_moment_ms(entry.child("startedDateTime")),
        took_ms=max(0.0, entry.child("time").number()),
    )


def _is_static(entry: _Entry) -> bool:
    kind = entry.response.child("content").child("mimeType").text()
    return bool(_STATIC_KIND.match(kind) or _STATIC_NAME.search(entry.path))


def _origin(entries: list[_Entry], host: str | None, root: Part) -> str:
    """Where most requests go, or those to *host*."""
    counts = Counter(entry.origin for entry in entries)
    if host is not None:
        wanted = host.lower().rstrip("/")
        fitting = [o for o in counts if wanted in (o, o.partition("://")[2], urlsplit(o).hostname)]
        if not fitting:
            known = ", ".join(sorted(counts)[:8]) or "none"
            raise UsageError(f"{root.file}: no request to `{host}`; recorded are: {known}")
        counts = Counter({origin: counts[origin] for origin in fitting})
    if not counts:
        root.child("log").wrong("has no request that can be a step; `--all` takes in static files")
    return counts.most_common(1)[0][0]


def _step(entry: _Entry, secrets: Secrets, made: Imported) -> ImportedStep | None:
    path = "/".join(_segment(part, secrets) for part in entry.path.split("/"))
    query = "&".join(
        f"{quote(name, safe='')}={secrets.masked(name, value, quoted=True)}"
        for name, value in parse_qsl(entry.query, keep_blank_values=True, max_num_fields=None)
    )
    step = ImportedStep(
        method=entry.method,
        path=path + (f"?{query}" if query else ""),
        name=f"{entry.method} {_named(entry.path, secrets)}",
        status=_status(entry),
    )
    if len(step.path) > MAX_PATH:
        made.note(f"{one_line(step.name, 80)} is left out: its address is too long")
        return None
    _headers(entry, step, made)
    why = _body(entry.request.child("postData"), step, secrets)
    if why:
        made.note(f"{one_line(step.name, 80)} is left out: {why}")
        return None
    return step


def _segment(segment: str, secrets: Secrets) -> str:
    segment, _, more = segment.partition(";")  # `;jsessionid=…`
    if secrets.is_secret("", segment):
        return secrets.place("token")
    segment += f";{more}" if more and not secrets.mentioned_in(more) else ""
    return quote(segment.encode("utf-8", "replace"), safe=":@!$&'()*+,;=~%-._")


def _named(path: str, secrets: Secrets) -> str:
    """The path with identifiers as `[id]`."""
    segments = [
        "[id]" if _ID.fullmatch(part) or secrets.is_secret("", part) else part
        for part in path.split("/")
    ]
    return one_line(text_of("/".join(segments)), 200)


def _status(entry: _Entry) -> int | None:
    """What was answered. A browser's 304 comes of its cache, which visitors do not have."""
    status = int(entry.response.child("status").number())
    return status if status != 304 and 100 <= status <= 599 else None


def _headers(entry: _Entry, step: ImportedStep, made: Imported) -> None:
    left = []
    for header in entry.request.child("headers").parts():
        name, value = header.child("name").text().lower(), header.child("value").text()
        value = one_line(text_of(value))
        if name in KEPT and value not in ("", "*/*"):
            step.headers[KEPT[name]] = value
        elif name == "authorization":
            _authorization(value, made)
        elif name == "cookie":
            made.note("cookies are left out: visitors keep those that the service sets")
        elif name.startswith("x-") and name not in KEPT:
            left.append(one_line(name, 60))
    for name in left:
        made.note(f"the header `{name}` is left out; write it if the service needs it")


def _authorization(value: str, made: Imported) -> None:
    """The way, never the value."""
    way = value.partition(" ")[0].lower()
    if way == "basic":
        made.auth = {"basic": {"user": "USER", "password": {"env": variable("api_password")}}}
    else:
        made.auth = {"bearer": {"env": variable("api_token")}}
    made.note("the `Authorization` of the recording is left out; `auth` says where a secret is")


def _body(data: Part, step: ImportedStep, secrets: Secrets) -> str:
    """Put the body into the step; says why it cannot be."""
    text, kind = data.child("text").text(), data.child("mimeType").text()
    plain = kind.partition(";")[0].strip().lower()
    if not data or (not text and not list(data.child("params").parts())):
        return ""
    if plain == "application/json" or plain.endswith("+json"):
        return _json_body(text, step, secrets)
    if plain == "application/x-www-form-urlencoded":
        fields = [
            (one.child("name").text(), one.child("value").text())
            for one in data.child("params").parts()
        ] or parse_qsl(text, keep_blank_values=True)
        step.form = {text_of(k) or "-": secrets.masked(k, v) for k, v in fields}
        return "" if step.form and fits(step.form) else "its form is too large, or empty"
    if plain.startswith("multipart/"):
        return "it sends files; write them as `files`"
    if len(text) > MAX_BODY or not text.strip() or secrets.mentioned_in(text):
        return "its body is too large, or mentions a secret"
    step.body = text_of(text)
    step.headers["Content-Type"] = one_line(kind, 100) or "text/plain"
    return ""


def _json_body(text: str, step: ImportedStep, secrets: Secrets) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "its body is not JSON"
    if not fits(value):
        return "its body is too large"
    step.json = secrets.masked_json("", value)
    return "" if step.json is not None else "its body is null"


def _think_ms(entries: list[_Entry]) -> tuple[int, int]:
    """The pauses between an answer and the next request, without the rarest: from, to."""
    timed = [(e.begun_ms, e.begun_ms + e.took_ms) for e in entries if e.begun_ms is not None]
    gaps = sorted(
        min(MAX_THINK_MS, later[0] - earlier[1])
        for earlier, later in pairwise(timed)
        if later[0] - earlier[1] >= MIN_THINK_MS
    )
    if not gaps:
        return 0, 0
    low, high = gaps[len(gaps) // 10], gaps[-1 - len(gaps) // 10]
    return int(round(low, -2)), int(round(high, -2))


def _moment_ms(moment: Part) -> float | None:
    text = moment.text()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except (ValueError, OverflowError):
        moment.wrong(f"is no moment: `{one_line(text, 40)}`")
