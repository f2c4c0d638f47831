"""`http`: a request to some service puts the fault in and takes it out."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from gameday.adapters.generic.match import holds, problem_of
from gameday.adapters.generic.outcome import Outcome, not_started, too_late
from gameday.adapters.generic.place import Call, Place, tail
from gameday.adapters.http import Answer, Http
from gameday.adapters.http import shown as shown_url
from gameday.adapters.runbook_fetch import forbidden
from gameday.errors import CannotSeeError, RefusedError

MAX_BYTES = 1024 * 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_CONNECT_S = 2.0
#: An answer that fails to come this shortly before the limit is one that did not come in time.
_LAST_S = 0.1


def shown(call: Call) -> str:
    """The call in one line, for messages: no query, no header, no body."""
    return f"{_method(call)} {shown_url(str(call.get('url', '')))}"


def problems(calls: Mapping[str, Call], place: Place, _within_s: float) -> list[str]:
    """Everything that is wrong with *calls*, found without asking anybody."""
    return [f"`{name}`: {text}" for name, call in calls.items() for text in _wrong(call, place)]


def ask(name: str, call: Call, place: Place, within_s: float) -> Outcome:
    """Ask, for at most *within_s*: then the request is left alone, or never sent any more."""
    try:
        headers, body = _parts(call, place)
    except RefusedError as error:
        return not_started(str(error))
    asking = _Asking(deadline=time.monotonic() + within_s)
    arguments = (asking, call, headers, body, within_s)
    thread = threading.Thread(target=_exchange, args=arguments, name=f"http-{name}", daemon=True)
    thread.start()
    thread.join(within_s)
    with asking.lock:
        if asking.outcome is not None:
            return asking.outcome
        if asking.answer is None:
            asking.over = True
            late = too_late(within_s)
            return late if asking.sent else not_started(f"{late.why}; nothing was sent")
    return _judged(name, call, asking.answer)


@dataclass(slots=True)
class _Asking:
    """One request under way. `over` is set when nobody waits for it any more: it is not sent then.

    A server that drips its answer outlives every timeout of a socket, a name server that is silent
    cannot be cut short: so the asking has a thread of its own.
    """

    deadline: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False
    sent: bool = False
    answer: Answer | None = None
    outcome: Outcome | None = None

    @property
    def left_s(self) -> float:
        return max(0.01, self.deadline - time.monotonic())

    def may_send(self) -> bool:
        with self.lock:
            self.sent = not self.over
            return self.sent

    def end(self, *, answer: Answer | None = None, outcome: Outcome | None = None) -> None:
        with self.lock:
            self.answer, self.outcome = answer, outcome


class _Session(Http):
    """Http with any method, headers of the caller's own, and a body of bytes."""

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        def finish(request: Any) -> Any:
            request.headers.update(headers)
            if body is not None:
                request.prepare_body(body, None)
            return request

        self._session.auth = finish
        return self._ask(method, path)


def _exchange(
    asking: _Asking, call: Call, headers: Mapping[str, str], body: bytes | None, within_s: float
) -> None:
    try:
        parts = urlsplit(call["url"])
        address = _reachable(parts, asking)
    except (CannotSeeError, ValueError) as error:
        asking.end(outcome=not_started(str(error)))
        return
    if not asking.may_send():
        return
    port = _port(parts)
    base = urlunsplit((parts.scheme, f"{address}:{port}", "", "", ""))
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        with closing(
            _Session(base, what="it", total_s=asking.left_s, max_bytes=MAX_BYTES, quiet=True)
        ) as http:
            http.speak_for(parts.hostname or "", parts.port)
            asking.end(answer=http.send(_method(call), path, headers, body))
    except CannotSeeError as error:
        why = tail(str(error)).removeprefix(f"it at {base}").lstrip(": ")
        asking.end(outcome=Outcome(why=why) if asking.left_s > _LAST_S else too_late(within_s))
    except Exception as error:  # noqa: BLE001 - whatever a library raises must reach who waits
        asking.end(outcome=Outcome(why=tail(f"{type(error).__name__}: {error}")))


def _reachable(parts: SplitResult, asking: _Asking) -> str:
    """The first address of the host that lets us in. Raises CannotSeeError: nothing was sent."""
    host, port = parts.hostname or "", _port(parts)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CannotSeeError(f"the host `{host}` cannot be resolved") from None
    why = ""
    for *_, where in found:
        address = ipaddress.ip_address(str(where[0]).partition("%")[0])
        barred = forbidden(address, "localhost")
        if barred:
            raise CannotSeeError(f"the host `{host}` is {address}, {barred}, which is never asked")
        try:
            limit_s = min(_CONNECT_S, asking.left_s)
            socket.create_connection((str(address), port), timeout=limit_s).close()
        except OSError as error:
            why = (error.strerror or "no answer").lower()
        else:
            return f"[{address}]" if address.version == 6 else str(address)
    raise CannotSeeError(f"nobody lets us in at `{host}`, port {port}: {why}")


def _judged(name: str, call: Call, answer: Answer) -> Outcome:
    present = name == "present"
    status = answer.status
    if not _status_ok(call, status):
        gone = present and status in gone_statuses(call)
        moved = " (redirects are not followed)" if status in (301, 302, 303, 307, 308) else ""
        said = tail(answer.body[:16_384].decode("utf-8", "replace"))
        last = f": {said}" if said else ""
        return Outcome(gone=gone, why=f"answered {status}{moved}{last}")
    expression = call.get("match")
    if expression is None:
        return Outcome(ok=True)
    try:
        found = holds(expression, json.loads(answer.body))
    except ValueError as error:
        why = str(error) if str(error).startswith("`match") else "did not answer with JSON"
        return Outcome(why=tail(why))
    except RecursionError:
        return Outcome(why="answered with JSON that is nested too deeply")
    return Outcome(ok=found, gone=present and not found, why=f"`match: {expression}` does not hold")


def _status_ok(call: Call, status: int) -> bool:
    allowed = call.get("status")
    return status in allowed if allowed else 200 <= status < 300


def gone_statuses(call: Call) -> tuple[int, ...]:
    """Statuses of `present` that say gone. With `match` none, unless they are named."""
    named = call.get("gone_status")
    if named is not None:
        return tuple(named)
    return () if call.get("match") is not None else (404,)


def _method(call: Call) -> str:
    return str(call.get("method") or "GET").upper()


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _parts(call: Call, place: Place) -> tuple[dict[str, str], bytes | None]:
    """Headers and body. Raises `RefusedError` when a secret is not to be had."""
    headers = {name: str(v) for name, v in place.resolved(call.get("headers") or {}).items()}
    for name, value in headers.items():
        if not f"{name}{value}".isprintable() or not f"{name}{value}".isascii():
            raise RefusedError(f"the header `{name}` has characters that no header may have")
    if "json" in call:
        known = {name.lower() for name in headers}
        if "content-type" not in known:
            headers["Content-Type"] = "application/json"
        return headers, json.dumps(call["json"]).encode()
    body = call.get("body")
    return headers, None if body is None else str(body).encode()


def _wrong(call: Call, place: Place) -> list[str]:
    found = [_url_problem(call.get("url"))]
    if _method(call) not in METHODS:
        found.append(f"`method: {call.get('method')}` is none of {', '.join(METHODS)}")
    if "json" in call and "body" in call:
        found.append("`json` and `body` cannot both be sent")
    if call.get("match") is not None:
        found.append(problem_of(call["match"]))
    if both := set(call.get("status") or ()) & set(call.get("gone_status") or ()):
        found.append(f"status {min(both)} cannot stand in both `status` and `gone_status`")
    try:
        _parts(call, place)
    except RefusedError as error:
        found.append(str(error))
    return [text for text in found if text]


def _url_problem(url: Any) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, TypeError, AttributeError):
        return "`url` is not a URL that can be asked"
    if not isinstance(url, str) or parts.scheme not in ("http", "https") or not host:
        return "`url` has to begin with http:// or https:// and name a host"
    if parts.username or parts.password:
        return "`url` carries a password; put it into `headers` as a secret"
    return ""
