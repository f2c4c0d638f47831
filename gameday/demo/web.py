"""HTTP for the parts: a server of plain handlers, and a client. The only module with `aiohttp`."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from gameday.demo.metrics import Metrics
from gameday.demo.resilience import Limiter, Overloaded
from gameday.demo.topology import HOST

#: No request body of the shop is larger.
MAX_BODY = 64 * 1024


class BadRequest(Exception):  # noqa: N818 - named after the status it becomes
    """The caller sent something that cannot be understood; answered with 400."""


class CallFailed(Exception):  # noqa: N818
    """A call got no answer: refused, reset, cut off."""


class CallRefused(CallFailed):
    """No connection: certain that nothing was sent."""


class CallTimedOut(CallFailed):
    """A call got no whole answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that arrived."""

    method: str
    target: str  # path and query, as sent
    params: Mapping[str, str]  # from the path
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises BadRequest."""
        try:
            data = json.loads(self.body or b"{}")
        except ValueError:
            raise BadRequest("the body is not JSON") from None
        if not isinstance(data, dict):
            raise BadRequest("the body is not a JSON object")
        return data

    def text(self, key: str) -> str:
        """A needed string of the body. Raises BadRequest."""
        value = self.json().get(key)
        if not isinstance(value, str) or not 0 < len(value) <= 200:
            raise BadRequest(f"`{key}` must be a text of 1 to 200 characters")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to send."""

    status: int = 200
    data: Any = None
    body: bytes | None = None  # instead of data
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A handler under a path; `{name}` in the path becomes a parameter."""

    method: str
    path: str
    handler: Handler
    shed: bool = True  # whether it counts against, and is refused by, the limit of busy requests


def busy_reply(why: str, retry_after_s: int = 1) -> Reply:
    """An honest 503: try again later."""
    return Reply(status=503, data={"error": why}, headers={"Retry-After": str(retry_after_s)})


class Server:
    """Serves routes on loopback, measures them, sheds load beyond *limiter*."""

    def __init__(self, metrics: Metrics, limiter: Limiter | None = None) -> None:
        self._metrics, self._limiter = metrics, limiter
        self._app = web.Application(client_max_size=MAX_BODY)
        self._runner = web.AppRunner(
            self._app, access_log=None, handle_signals=False, shutdown_timeout=2
        )
        self.add(
            Route(method="GET", path="/healthz", handler=self._healthz, shed=False),
            Route(method="GET", path="/metrics", handler=self._page, shed=False),
        )

    def add(self, *routes: Route) -> None:
        """Serve these too. Only before `start`."""
        for route in routes:
            self._app.router.add_route(route.method, route.path, self._wrap(route))

    async def start(self, port: int) -> None:
        """Listen. Raises OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port, backlog=512).start()

    async def also(self, port: int, context: ssl.SSLContext) -> None:
        """Listen there too, with TLS. After `start`."""
        await web.TCPSite(self._runner, HOST, port, ssl_context=context).start()

    async def stop(self) -> None:
        """Finish what is under way, at most 2 s, and close."""
        await self._runner.cleanup()

    def _wrap(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        quiet = route.path in ("/healthz", "/metrics", "/ledger")  # asked by monitoring alone

        async def handle(request: web.Request) -> web.Response:
            started = time.perf_counter()
            call = Call(
                method=request.method,
                target=request.path_qs,
                params=request.match_info,
                headers=request.headers,
                body=await request.read() if request.can_read_body else b"",
            )
            reply = await self._answer(route, call)
            if not quiet:
                elapsed = time.perf_counter() - started
                self._metrics.answered(route.path, reply.status, elapsed)
            body = json.dumps(reply.data).encode() if reply.body is None else reply.body
            return web.Response(
                status=reply.status,
                body=body,
                headers={"Content-Type": reply.content_type, **reply.headers},
            )

        return handle

    async def _answer(self, route: Route, call: Call) -> Reply:
        try:
            if self._limiter is None or not route.shed:
                return await route.handler(call)
            with self._limiter:
                return await route.handler(call)
        except Overloaded:
            self._metrics.count("shed_requests", "Requests refused because of load.")
            return busy_reply("too many requests under way")
        except BadRequest as error:
            return Reply(status=400, data={"error": str(error)})
        except CallFailed as error:
            return Reply(status=502, data={"error": str(error)})
        except Exception as error:  # noqa: BLE001 - a server answers 500 and goes on
            print(f"{call.method} {call.target}: {error!r}", flush=True)  # noqa: T201 - the log
            return Reply(status=500, data={"error": type(error).__name__})

    async def _healthz(self, _: Call) -> Reply:
        return Reply(data={"status": "ok"})

    async def _page(self, _: Call) -> Reply:
        body, content_type = self._metrics.page()
        return Reply(body=body, content_type=content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call returned."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded. Raises CallFailed when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise CallFailed("an answer that is not JSON") from None


class Client:
    """Calls other parts over kept-alive connections."""

    def __init__(self, limit: int = 0) -> None:
        self._pooled = self._session(aiohttp.TCPConnector(limit=limit, use_dns_cache=False))
        self._fresh = self._session(aiohttp.TCPConnector(limit=limit, force_close=True))

    @staticmethod
    def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        within_s: float | None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
        whole: bool = True,
    ) -> Answer:
        """One attempt, the whole of it (connect, send, read) *within_s*; None waits for ever.

        With *fresh* on a new connection: kept ones may all be dead. Unless *whole*, the first piece
        of the body is taken for all of it: a mistake that is seldom seen, since a small answer
        mostly comes in one. Raises CallTimedOut,
        CallRefused or CallFailed.
        """
        session = self._fresh if fresh else self._pooled
        send = {"Content-Type": "application/json", **(headers or {})} if body else headers
        try:
            async with session.request(
                method,
                url,
                data=body or None,
                headers=send,
                timeout=aiohttp.ClientTimeout(total=within_s),
                allow_redirects=False,
            ) as response:
                text = await (response.read() if whole else response.content.readany())
                return Answer(status=response.status, headers=response.headers, body=text)
        except TimeoutError:
            raise CallTimedOut(f"{url}: no answer in {within_s} s") from None
        except aiohttp.ClientConnectorError as error:
            raise CallRefused(f"{url}: {error}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(f"{url}: {error or type(error).__name__}") from None

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(self._pooled.close(), self._fresh.close())
