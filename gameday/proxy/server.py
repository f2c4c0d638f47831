"""Starting, running and ending the server: the whole life of the process."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from gameday import __version__
from gameday.proxy import DEFAULT_HOST, DEFAULT_PORT, TOXIPROXY_VERSION
from gameday.proxy.address import Address, AddressError, bind, literal, lookup
from gameday.proxy.api import BODY_LIMIT, Api
from gameday.proxy.collection import Collection
from gameday.proxy.errors import ApiError, ListenError
from gameday.proxy.lag import LagMeter
from gameday.proxy.proxy import Proxy, Shared
from gameday.proxy.traffic import Traffic

OK = 0
USAGE = 2

_SPARE_SOCKETS = 128
_MOST_SOCKETS = 1 << 18
_PORT_TRIES = 16
_LOG = logging.getLogger("gameday.proxy")


class StartError(Exception):
    """The server cannot start; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line may say; `seed` None draws one."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    seed: int | None = None
    config: Path | None = None
    ready_fd: int | None = None
    die_with_fd: int | None = None


def serve(settings: Settings, out: TextIO | None = None) -> int:
    """Run the server until SIGTERM, SIGINT or the end of `die_with_fd`; return the exit code.

    Writes one line of JSON to `out` (standard output) once it listens. 0 after a clean end, 2 with
    one line on standard error when it cannot start. Call it from the main thread.
    """
    _quiet_http_log()
    if settings.seed is None:
        settings = replace(settings, seed=int.from_bytes(os.urandom(6), "big"))
    try:
        asyncio.run(_run(settings, out or sys.stdout))
    except StartError as error:
        sys.stderr.write(f"gameday proxy: {error}\n")
        return USAGE
    return OK


def _quiet_http_log() -> None:
    # malformed requests are answered, not logged: anybody on the machine can send them
    logging.getLogger("aiohttp").addHandler(logging.NullHandler())
    logging.getLogger("aiohttp").propagate = False


async def _run(settings: Settings, out: TextIO) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.die_with_fd is not None:
        _watch(loop, settings.die_with_fd, stop)
    shared = Shared(loop=loop, traffic=Traffic(), seed=settings.seed or 0, room=_room())
    api = Api(shared=shared, collection=Collection(shared), lag=LagMeter(loop))
    loop.set_exception_handler(lambda _, context: _unforeseen(api, context))
    sockets = await _listen(settings)
    runner = web.ServerRunner(_HttpServer(api.handle), shutdown_timeout=1.0)
    try:
        await _populate(api.collection, settings.config)
        await runner.setup()
        for sock in sockets:
            await web.SockSite(runner, sock).start()
        api.lag.start()
        gc.freeze()
        _announce(settings, sockets[0], shared.seed, out)
        await stop.wait()
    finally:
        api.lag.stop()
        api.collection.clear()
        await runner.cleanup()
        for sock in sockets:
            sock.close()


class _HttpHandler(RequestHandler):
    """Answers what is no HTTP at all as briefly as Go does."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer 400 and close."""
        del request, status, exc, message
        response = web.Response(status=400, text="400 Bad Request")
        response.force_close()
        return response


class _HttpServer(web.Server):
    """Makes a handler for each connection to the API."""

    def __call__(self) -> RequestHandler:
        return _HttpHandler(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # the documented way to have none
            keepalive_timeout=60.0,
        )

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=BODY_LIMIT
        )


def _unforeseen(api: Api, context: dict[str, object]) -> None:
    error = context.get("exception")
    if isinstance(error, ConnectionError):
        return
    api.internal_errors += 1
    _LOG.error("%s: %r", context.get("message"), error)


def _room() -> int:
    """Raise the limit of open files as far as allowed; return what the proxies may use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_SOCKETS if hard == resource.RLIM_INFINITY else min(hard, _MOST_SOCKETS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return max(min(soft, most) - _SPARE_SOCKETS, _SPARE_SOCKETS)


def _watch(loop: asyncio.AbstractEventLoop, fd: int, stop: asyncio.Event) -> None:
    def readable() -> None:
        try:
            ended = not os.read(fd, 4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            ended = True
        if ended:
            loop.remove_reader(fd)
            stop.set()

    try:
        os.set_blocking(fd, False)
        loop.add_reader(fd, readable)
    except (OSError, ValueError) as error:
        raise StartError(f"`--die-with-fd {fd}` is no open pipe ({error})") from None


async def _listen(settings: Settings) -> list[socket.socket]:
    """Return the listening sockets of the API: both families for `localhost`, one otherwise."""
    first = await _ip(settings.host)
    for _ in range(_PORT_TRIES):
        main = _bind(first, settings.port, settings.host)
        if settings.host != "localhost":
            return [main]
        port = main.getsockname()[1]
        try:
            return [main, bind(Address(host="::1", port=port))[0]]
        except ListenError as error:
            if not error.message.endswith(os.strerror(errno.EADDRINUSE).lower()):
                return [main]  # a machine without IPv6
            main.close()
            if settings.port:
                raise StartError(_in_use("[::1]", port)) from None
    raise StartError("no port is free on both 127.0.0.1 and [::1], give one with `--port`")


async def _ip(host: str) -> str:
    ip = literal(host) if host else ""
    if ip is None:
        try:
            ip = (await lookup(host))[0]
        except AddressError:
            raise StartError(f"host `{host}` is not known on this machine") from None
    return ip


def _bind(ip: str, port: int, host: str) -> socket.socket:
    try:
        return bind(Address(host=ip, port=port))[0]
    except ListenError as error:
        if error.message.endswith(os.strerror(errno.EADDRINUSE).lower()):
            raise StartError(_in_use(host, port)) from None
        reason = error.message.rpartition(": ")[2]
        raise StartError(f"cannot listen on `{host}` port {port}: {reason}") from None


def _in_use(host: str, port: int) -> str:
    return (
        f"port {port} on `{host}` is in use, end the server that runs there "
        "or choose another with `--port` (0 takes a free one)"
    )


async def _populate(collection: Collection, config: Path | None) -> None:
    if config is None:
        return
    done: list[Proxy] = []
    try:
        await collection.populate(config.read_bytes(), done)
    except OSError as error:
        raise StartError(f"config file `{config}` cannot be read: {error.strerror}") from None
    except ApiError as error:
        raise StartError(f"config file `{config}`: {error.message}") from None


def _announce(settings: Settings, sock: socket.socket, seed: int, out: TextIO) -> None:
    host, port = sock.getsockname()[:2]
    line = json.dumps(
        {
            "ready": True,
            "host": host,
            "port": port,
            "version": TOXIPROXY_VERSION,
            "gameday": __version__,
            "pid": os.getpid(),
            "seed": seed,
        }
    )
    with suppress(OSError, ValueError):  # nobody has to read it
        out.write(line + "\n")
        out.flush()
    if settings.ready_fd is not None:
        try:
            with os.fdopen(settings.ready_fd, "w") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise StartError(f"`--ready-fd {settings.ready_fd}`: {error.strerror}") from None
