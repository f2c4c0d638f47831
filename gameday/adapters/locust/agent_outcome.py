"""How a request ended, told from what the HTTP clients raise."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import Any

import gevent
import requests.exceptions
import urllib3.exceptions
from geventhttpclient.response import HTTPParseError

_TIMEOUT: tuple[type[BaseException], ...] = (
    gevent.Timeout,
    TimeoutError,
    requests.exceptions.Timeout,
    urllib3.exceptions.TimeoutError,
)
# An answer that was cut short or is not HTTP at all says that the connection broke.
_CONNECTION: tuple[type[BaseException], ...] = (
    OSError,
    ssl.SSLError,
    HTTPParseError,
    http.client.HTTPException,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.NewConnectionError,
)
# Raised by a user's own `response.failure(...)`; by name, so that this module needs no Locust.
_MANUAL = {"CatchResponseError", "ResponseError"}
_DEPTH = 10


def outcome_of(exception: BaseException | None, response: Any = None) -> str:
    """The outcome of a request that Locust reports with *exception*."""
    if exception is None:
        return "ok"
    if type(exception).__name__ in _MANUAL:
        beneath = getattr(response, "error", None)
        if isinstance(beneath, BaseException):
            return outcome_of(beneath, response)
        return of_status(_status(response)) or "expectation"
    chain = list(_chain(exception))
    if any(isinstance(e, _TIMEOUT) for e in chain):
        return "timeout"
    for e in chain:
        code = getattr(e, "code", None) or _status(getattr(e, "response", None))
        if isinstance(code, int) and (found := of_status(code)):
            return found
    # requests' own base class is an OSError too, so the broad class must not decide for it
    if any(isinstance(e, _CONNECTION) and not _vague(e) for e in chain):
        return "connection"
    return "expectation" if isinstance(exception, AssertionError) else "other"


def of_status(status: int) -> str | None:
    """The kind of failure that a status says by itself."""
    if status >= 500:
        return "http_5xx"
    return "http_4xx" if status >= 400 else None


def _status(response: Any) -> int:
    status = getattr(response, "status_code", 0)
    return status if isinstance(status, int) else 0


def _vague(e: BaseException) -> bool:
    plain = requests.exceptions.RequestException
    return isinstance(e, plain) and not isinstance(
        e, requests.exceptions.ConnectionError | requests.exceptions.ChunkedEncodingError
    )


def _chain(exception: BaseException) -> Iterator[BaseException]:
    todo, seen = [exception], 0
    while todo and seen < _DEPTH:
        e = todo.pop(0)
        seen += 1
        yield e
        beneath = [e.__cause__ or e.__context__, getattr(e, "reason", None), *e.args]
        todo += [b for b in beneath if isinstance(b, BaseException)]
