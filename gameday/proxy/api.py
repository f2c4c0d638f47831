"""The HTTP API: routes, status codes, bodies and content types of Toxiproxy 2.12."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import posixpath
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import http_exceptions, web

from gameday import __version__
from gameday.proxy import HEALTH_PATH, MARK_HEADER, TOXIPROXY_VERSION, body
from gameday.proxy.collection import Collection
from gameday.proxy.errors import ApiError
from gameday.proxy.lag import LagMeter
from gameday.proxy.proxy import Proxy, Shared

BODY_LIMIT = 4 * 1024 * 1024
READ_WITHIN_S = 15.0

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
_LOG = logging.getLogger("gameday.proxy.http")

_UNREADABLE = (http_exceptions.HttpProcessingError, web.RequestPayloadError, TimeoutError)

Handler = Callable[[tuple[str, ...], bytes], Awaitable[web.Response]]


def _respond(status: int, data: bytes = b"", content_type: str | None = None) -> web.Response:
    headers = {MARK_HEADER: __version__, "Server": "toxiproxy"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    response = web.Response(status=status, body=data or None, headers=headers)
    if data and content_type == _TEXT:
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _json(value: object, status: int = 200) -> web.Response:
    return _respond(status, body.encode(value), _JSON)


def _error(error: ApiError) -> web.Response:
    # the real server sends errors as text/plain, and clients parse them as JSON all the same
    data = body.encode({"error": error.message, "status": error.status}) + b"\n"
    return _respond(error.status, data, _TEXT)


@dataclass(slots=True, kw_only=True)
class Api:
    """Answers requests; `internal_errors` counts what nobody foresaw (nothing, we hope)."""

    shared: Shared
    collection: Collection
    lag: LagMeter
    internal_errors: int = 0
    _ids: itertools.count[int] = field(default_factory=itertools.count)
    _id_base: int = field(default_factory=lambda: int.from_bytes(os.urandom(6), "big"))
    _started_at: float = field(default_factory=time.monotonic)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request; never raises."""
        try:
            return await self._route(request)
        except ApiError as error:
            return _error(error)
        except web.HTTPRequestEntityTooLarge:
            return _error(ApiError(f"bad request body: larger than {BODY_LIMIT} bytes", 413))
        except (
            http_exceptions.HttpProcessingError,
            web.RequestPayloadError,
            TimeoutError,
        ) as error:
            return _error(ApiError(f"bad request body: {error}", 400))
        except Exception as error:  # noqa: BLE001 -- the server outlives any request
            self.internal_errors += 1
            _LOG.exception("request failed")
            return _error(ApiError(f"internal error: {error}", 500))

    async def _route(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        clean = _clean(path)
        if clean != path:
            response = _respond(301)
            response.headers["Location"] = quote(clean)
            return response
        parts = tuple(path.split("/")[1:])
        methods = self._methods(parts)
        if methods is None:
            return _respond(404, b"404 page not found\n", _TEXT)
        handler = methods.get(request.method) or methods.get("*")
        if handler is None:
            return _respond(405)
        if request.headers.get("User-Agent", "").startswith("Mozilla/"):
            response = _respond(403, b"User agent not allowed\n", _TEXT)
        else:
            response = await self._answer(handler, parts, request)
        response.headers["X-Toxiproxy-Request-Id"] = f"{self._id_base:012x}{next(self._ids):08x}"
        return response

    async def _answer(
        self, handler: Handler, parts: tuple[str, ...], request: web.BaseRequest
    ) -> web.Response:
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                raw = await request.read()
            return await handler(parts, raw)
        except ApiError as error:
            return _error(error)

    def _methods(self, parts: tuple[str, ...]) -> Mapping[str, Handler] | None:
        match parts:
            case ("proxies", *rest) if all(rest):
                return self._proxy_methods(tuple(rest))
            case ("populate",):
                return {"POST": self._populate}
            case ("reset",):
                return {"POST": self._reset}
            case ("version",):
                return {"GET": self._version}
            case ("metrics",):
                return {"*": self._metrics}
            case _ if "/" + "/".join(parts) == HEALTH_PATH:
                return {"GET": self._health}
            case _:
                return None

    def _proxy_methods(self, rest: tuple[str, ...]) -> Mapping[str, Handler] | None:
        match rest:
            case ():
                return {"GET": self._index, "POST": self._create}
            case (_,):
                change = self._update
                return {
                    "GET": self._show, "POST": change, "PATCH": change, "DELETE": self._delete
                }  # fmt: skip
            case (_, "toxics"):
                return {"GET": self._toxics, "POST": self._add_toxic}
            case (_, "toxics", _):
                change = self._update_toxic
                return {
                    "GET": self._show_toxic, "POST": change, "PATCH": change,
                    "DELETE": self._remove_toxic,
                }  # fmt: skip
            case _:
                return None

    # -- routes -------------------------------------------------------------------------------

    async def _version(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts, raw
        data = f'{{"version": "{TOXIPROXY_VERSION}"}}\n'.encode()
        return _respond(200, data, "application/json;charset=utf-8")

    async def _index(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts, raw
        proxies = sorted(self.collection.all(), key=lambda proxy: proxy.name)
        return _json({proxy.name: proxy.shown() for proxy in proxies})

    async def _create(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts
        return _json((await self.collection.create(raw)).shown(), 201)

    async def _show(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del raw
        return _json(self.collection.get(parts[1]).shown())

    async def _update(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        return _json((await self.collection.update(parts[1], raw)).shown())

    async def _delete(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del raw
        self.collection.delete(parts[1])
        return _respond(204)

    async def _populate(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts
        done: list[Proxy] = []
        answer: dict[str, object] = {}
        status = 201
        try:
            await self.collection.populate(raw, done)
        except ApiError as error:
            status = error.status
            answer = {"error": error.message, "status": status}
        answer["proxies"] = [proxy.shown() for proxy in done] or None
        return _json(answer, status)

    async def _reset(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts, raw
        await self.collection.reset()
        return _respond(204)

    async def _toxics(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del raw
        return _json(self.collection.get(parts[1]).shown_toxics())

    async def _add_toxic(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        return _json(self.collection.add_toxic(parts[1], raw).shown())

    async def _show_toxic(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del raw
        return _json(self.collection.get_toxic(parts[1], parts[3])[1].shown())

    async def _update_toxic(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        return _json(self.collection.update_toxic(parts[1], parts[3], raw).shown())

    async def _remove_toxic(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del raw
        self.collection.remove_toxic(parts[1], parts[3])
        return _respond(204)

    async def _metrics(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts, raw
        return _respond(200, self.shared.traffic.exposition(), _METRICS)

    async def _health(self, parts: tuple[str, ...], raw: bytes) -> web.Response:
        del parts, raw
        return _json(self.health())

    def health(self) -> dict[str, object]:
        """Return what the runner polls every second; `docs/proxy.md` describes it."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        nothing = {"received": 0, "sent": 0}
        traffic = self.shared.traffic.by_proxy()
        proxies = {}
        for proxy in self.collection.all():
            moved = traffic.get(proxy.name, {})
            proxies[proxy.name] = {
                "enabled": proxy.enabled,
                "accepted": proxy.counts.accepted,
                "refused_dials": proxy.counts.refused_dials,
                "turned_away": proxy.counts.turned_away,
                "in_flight": proxy.in_flight,
                "http": proxy.shown_http(),
                "bytes": {way: moved.get(way, nothing) for way in ("upstream", "downstream")},
            }
        return {
            "gameday": __version__,
            "version": TOXIPROXY_VERSION,
            "pid": os.getpid(),
            "seed": self.shared.seed,
            "uptime_s": round(time.monotonic() - self._started_at, 3),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "loop_lag_ms": {
                "last_10s": self.lag.last_10s(),
                "since_start": self.lag.since_start(),
            },
            "connections": sum(proxy.in_flight for proxy in self.collection.all()),
            "internal_errors": self.internal_errors,
            "proxies": proxies,
        }


def _clean(path: str) -> str:
    """Return `path` without doubled slashes and dots, as the real server redirects to it."""
    if not path.startswith("/"):
        return path
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean
