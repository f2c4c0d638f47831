"""The web server of the console: the page, its streams, and the door for what people do."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from aiohttp import web

from gameday.app.day_journal import today_or_new
from gameday.app.onlooker import chart_script, chart_style
from gameday.console import guard
from gameday.console.access import Door, Origins, Session, ShutError
from gameday.console.acts import act
from gameday.console.feed import VIEWS, Feed
from gameday.console.hub import Stream
from gameday.console.rights import ROLES, USUAL, refusal, rights
from gameday.errors import GamedayError, UsageError
from gameday.kpi.day import REVEALED

STREAMS_MAX = 1_000
BEAT_S = 10.0
#: A browser that takes nothing for so long is let go; it comes back if it is there.
STUCK_S = 30.0
FIGURE_EVERY_S = 5.0
_FILES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "figure.js": "text/javascript",
    "words.js": "text/javascript",
}


@dataclass(slots=True)
class Console:
    """Everything behind the page."""

    feed: Feed
    door: Door
    origins: Origins
    port: int
    by_secret: bool = False
    streams: dict[str, Stream] = field(default_factory=lambda: {v: Stream() for v in VIEWS})
    connected: int = 0
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))
    #: The stop waits behind nothing, also not behind notes to a runner that hangs.
    _stopping: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))
    _drawing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _figures: dict[str, tuple[float, asyncio.Future[bytes]]] = field(default_factory=dict)
    _chart: asyncio.Future[bytes] | None = None

    def view_of(self, role: str) -> str:
        """Which view a role gets."""
        return "blind" if self.is_blind(role) else "full"

    def is_blind(self, role: str) -> bool:
        """Whether this role must not know the fault, now."""
        return role in self.feed.blind_roles()

    def roles(self) -> dict[str, str]:
        """Who is offered: the roles of the day's plan, else the usual ones."""
        day = self.feed.day_under_way()
        offered = USUAL if day is None or day.day is None else day.day.roles
        return {role: does for role, does in ROLES.items() if role in offered}

    def enders(self) -> tuple[str, ...]:
        """The roles that the plan lets end the day; none: everybody."""
        day = self.feed.day_under_way()
        return () if day is None or day.day is None else day.day.abort_by

    def tell(self, view: str, what: str, thing: Any) -> None:
        """Give a stream what the feed found; in the thread of the event loop."""
        if what == "entry":
            self.streams[view].add(thing)
        else:
            self.streams[view].show(thing)

    def link(self, role: str) -> str:
        """A URL that lets one browser in."""
        if role not in self.roles():
            raise UsageError(f"`{role[:40]}` is no role here; roles: {', '.join(self.roles())}")
        token = self.door.link(role)
        named = sorted(o for o in self.origins.origins if not _is_local(o))
        base = named[0] if named else f"http://127.0.0.1:{self.port}"
        return f"{base}/#{token}"

    async def in_thread(
        self, function: Any, *arguments: Any, first: bool = False, **named: Any
    ) -> Any:
        """Run something that blocks where it blocks nobody; *first* waits behind no other thing."""
        pool = self._stopping if first else self._pool
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, lambda: function(*arguments, **named))

    def figure(self, view: str) -> asyncio.Future[bytes]:
        """The figure of a view, compressed; made once for all, and not again at once."""
        made_at, future = self._figures.get(view, (0.0, None))
        now = time.monotonic()
        if future is None or (future.done() and now - made_at > FIGURE_EVERY_S):
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(
                self._drawing, lambda: gzip.compress(self.feed.figure(view), 5)
            )
            self._figures[view] = (now, future)
        return future

    def chart(self) -> asyncio.Future[bytes]:
        """The chart library, compressed; had once, which takes seconds."""
        failed = self._chart is not None and self._chart.done() and self._chart.exception()
        if self._chart is None or failed:
            loop = asyncio.get_running_loop()
            self._chart = loop.run_in_executor(
                None, lambda: gzip.compress(chart_script().encode(), 6)
            )
        return self._chart

    def close(self) -> None:
        """Let everybody go."""
        for stream in self.streams.values():
            stream.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._stopping.shutdown(wait=False)
        self._drawing.shutdown(wait=False, cancel_futures=True)


def application(console: Console) -> web.Application:
    """The routes, behind the guard."""
    cookie = guard.cookie_name(console.port)
    app = web.Application(
        middlewares=[guard.guard(console.door, console.origins, cookie)],
        client_max_size=guard.BODY_MAX,
    )
    pages = _Pages(console, cookie)
    app.add_routes(
        [
            web.get("/", pages.page),
            web.get("/static/{name}", pages.file),
            web.get("/events", pages.events),
            web.get("/figure.json", pages.figure),
            web.get("/chart.js", pages.chart),
            web.get("/api/me", pages.me),
            web.post("/api/enter", pages.enter),
            web.post("/api/leave", pages.leave),
            web.post("/api/do", pages.do),
        ]
    )
    return app


class _Pages:
    """The handlers."""

    def __init__(self, console: Console, cookie: str) -> None:
        self._console, self._cookie = console, cookie
        self._page = _static("index.html").encode()
        self._style = f"{chart_style()}\n{_static('console.css')}".encode()

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page itself; the same for everybody, with nothing of any run in it."""
        del request
        return web.Response(body=self._page, content_type="text/html", charset="utf-8")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Its script and its style."""
        name = request.match_info["name"]
        if name not in _FILES:
            return guard.refused(404, "there is no such file")
        body = self._style if name == "console.css" else _static(name).encode()
        return web.Response(body=body, content_type=_FILES[name], charset="utf-8")

    async def me(self, request: web.Request) -> web.StreamResponse:
        """Who asks, and what they may do; or how to enter."""
        session: Session | None = request.get("session")
        if session is None:
            by_secret, roles = self._console.by_secret, self._console.roles()
            return web.json_response({"role": None, "by_secret": by_secret, "roles": roles})
        blind = self._console.is_blind(session.role)
        may = rights(session.role, blind=blind, enders=self._console.enders())
        return web.json_response(
            {
                "role": session.role,
                "does": ROLES[session.role],
                "blind": blind,
                "may": may,
                "roles": self._console.roles(),
                "hides": bool(self._console.feed.blind_roles()),
            }
        )

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Let a browser in that has a link or a secret."""
        given = await _json(request)
        token, role, secret = (str(given.get(k) or "") for k in ("token", "role", "secret"))
        door, blind = self._console.door, self._console.feed.blind_roles()
        if not token and role not in blind and door.shares(role, blind):
            return guard.refused(
                403, "the day is blind, and others know this secret; the console has to be started "
                "again with a secret for each role",
            )  # fmt: skip
        try:
            entered = door.enter_by_link(token) if token else door.enter_by_secret(role, secret)
        except ShutError as error:
            return guard.refused(429, str(error))
        if entered is None:
            what = "this link was used, or is none" if token else "role and secret do not fit"
            return guard.refused(403, f"{what}; ask the coordinator for a new one")
        cookie, session = entered
        answer = web.json_response({"ok": True, "role": session.role})
        answer.set_cookie(
            self._cookie, cookie, httponly=True, samesite="Strict", path="/",
            secure=self._console.origins.secure,
        )  # fmt: skip
        return answer

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """End the session."""
        self._console.door.leave(request.cookies.get(self._cookie))
        answer = web.json_response({"ok": True})
        answer.del_cookie(self._cookie, path="/")
        return answer

    async def do(self, request: web.Request) -> web.StreamResponse:
        """Do what somebody asks for, if their role may."""
        given = await _json(request)
        console, role = self._console, request["session"].role
        blind, do = console.is_blind(role), str(given.get("do") or "")
        asked = [do, "end"] if do == "stop" and given.get("day") is True else [do]
        for one in asked:
            why = refusal(role, one, blind=blind, enders=console.enders())
            if why is not None:
                return guard.refused(403, why)
        try:
            if do == "invite":
                return self._invite(str(given.get("name") or ""), blind=blind)
            if do == "reveal":
                said = await self._reveal(role)
            else:
                said = await console.in_thread(
                    act, console.feed, role, given, blind=blind, first=do == "stop"
                )
        except GamedayError as error:
            return guard.refused(409, str(error))
        return web.json_response({"ok": True, "text": said})

    def _invite(self, name: str, *, blind: bool) -> web.StreamResponse:
        """A link for a role; who must not know what is broken makes none that shows it."""
        console = self._console
        if blind and name in console.roles() and not console.is_blind(name):
            return guard.refused(403, "only those who know what is broken invite others who do")
        return web.json_response({"ok": True, "link": console.link(name)})

    async def _reveal(self, role: str) -> str:
        console = self._console
        why = console.feed.why_hidden()
        if why:
            raise UsageError(f"{why}; what is broken is shown to all once it is over")
        await console.in_thread(_revealed, console.feed, role)
        return "done"

    async def figure(self, request: web.Request) -> web.StreamResponse:
        """The figure so far, as a definition for the chart library."""
        view = self._console.view_of(request["session"].role)
        body = await asyncio.shield(self._console.figure(view))
        return _compressed(body, "application/json")

    async def chart(self, request: web.Request) -> web.StreamResponse:
        """The chart library."""
        del request
        try:
            body = await asyncio.shield(self._console.chart())
        except GamedayError as error:
            return guard.refused(503, str(error))
        answer = _compressed(body, "text/javascript")
        answer.headers["Cache-Control"] = "private, max-age=86400"
        return answer

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The stream of a view, from where this browser was."""
        console = self._console
        if console.connected >= STREAMS_MAX:
            return guard.refused(503, f"{STREAMS_MAX} browsers are connected; close some")
        session: Session = request["session"]
        stream = console.streams[console.view_of(session.role)]
        answer = web.StreamResponse(headers=guard.stream_headers())
        console.connected += 1
        try:
            await answer.prepare(request)
            await _send(answer, stream, request, lambda: self._still(session, stream))
        except (ConnectionError, TimeoutError):
            pass  # it is gone, or takes nothing; it comes back if it is there
        finally:
            console.connected -= 1
        return answer

    def _still(self, session: Session, stream: Stream) -> bool:
        """Whether who listens may still listen to this."""
        mine = self._console.streams[self._console.view_of(session.role)]
        return mine is stream and self._console.door.holds(session)


async def _send(
    answer: web.StreamResponse, stream: Stream, request: web.Request, still: Callable[[], bool]
) -> None:
    last = request.headers.get("Last-Event-ID") or request.query.get("after")
    place, state = stream.place(last), 0
    if place is None:
        place = 0
        await answer.write(b"retry: 1000\nevent: reset\ndata: {}\n\n")
    await answer.write(_beat())
    while still() and not stream.closed:
        out, place, state = stream.after(place, state)
        if out:
            await asyncio.wait_for(answer.write(out), STUCK_S)
        elif not await stream.news(BEAT_S):  # nothing runs between the look and the wait
            await asyncio.wait_for(answer.write(_beat()), STUCK_S)


def _revealed(feed: Feed, role: str) -> None:
    """From now on everybody sees everything; who is connected comes back for it."""
    today_or_new(feed.reports).append(REVEALED, "day", by=role)


def _beat() -> bytes:
    """Says that the connection is well, and what time it is here."""
    return f'event: beat\ndata: {{"now":{time.time_ns() // 1_000_000}}}\n\n'.encode()


async def _json(request: web.Request) -> Mapping[str, Any]:
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(reason="the request is no JSON") from None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(reason="the request is no JSON object")
    return found


def _compressed(body: bytes, kind: str) -> web.Response:
    return web.Response(
        body=body, headers={"Content-Encoding": "gzip"}, content_type=kind, charset="utf-8"
    )


def _static(name: str) -> str:
    return resources.files("gameday.console").joinpath("static", name).read_text("utf-8")


def _is_local(origin: str) -> bool:
    host = origin.partition("://")[2]
    return host.startswith(("localhost:", "127.", "[::1]", "0.0.0.0:", "[::]:"))


async def serve(
    console: Console, ready: Callable[[], None], end: asyncio.Event, listening: socket.socket
) -> None:
    """Serve on *listening* until *end*; *ready* is called once it does."""
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(application(console), access_log=None, shutdown_timeout=2.0)
    await runner.setup()

    def tell(view: str, what: str, thing: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(console.tell, view, what, thing)

    console.feed.tell = tell
    follower = threading.Thread(target=console.feed.run, name="gameday-feed", daemon=True)
    try:
        await web.SockSite(runner, listening).start()
        follower.start()
        ready()
        console.chart()
        await end.wait()
    finally:
        console.feed.stop()
        console.close()
        await runner.cleanup()
        if follower.is_alive():
            follower.join(2.0)
