"""What every request goes through before anything looks at it, and what every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gameday.console.access import Door, Origins

BODY_MAX = 16 * 1024
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
#: Where a person who was never here may go.
_OPEN = ("/", "/api/enter", "/api/me")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refused(status: int, error: str) -> web.Response:
    """An answer that says why not."""
    return web.json_response({"ok": False, "error": error}, status=status)


def cookie_name(port: int) -> str:
    """Cookies of one host are shared by all its ports, so the port is in the name."""
    return f"gameday_console_{port}"


def guard(door: Door, origins: Origins, cookie: str) -> Any:
    """The middleware: headers, host, other sites, session, size of the body, in this order."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = _wrong(request, origins) or _outside(request, door, cookie)
            answer = answer or await handler(request)
        except web.HTTPRequestEntityTooLarge:
            answer = refused(413, f"a request has at most {BODY_MAX} bytes")
        except web.HTTPException as error:
            answer = refused(error.status, error.reason.lower())
        if not answer.prepared:
            answer.headers.update(_HEADERS)
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return guarded


def stream_headers() -> dict[str, str]:
    """What a stream carries, which is begun by its handler."""
    return {
        **_HEADERS,
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }


def _wrong(request: web.Request, origins: Origins) -> web.StreamResponse | None:
    """Why the request cannot come from our own page."""
    if not origins.host_is_ours(request.headers.get("Host")):
        return refused(421, "this page is not reached under that name; see `--origin`")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    opens = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.path == "/"
    if site not in ("same-origin", "none") and not (opens and request.method == "GET"):
        return refused(403, "requests of other sites are refused")
    if request.method in ("GET", "HEAD"):
        origin = request.headers.get("Origin")
        if origin is not None and not origins.origin_is_ours(origin):
            return refused(403, "requests of other sites are refused")
        return None
    if not origins.origin_is_ours(request.headers.get("Origin")):
        return refused(403, "requests of other sites are refused; `Origin` must be this page's")
    if request.content_type != "application/json":
        return refused(415, "a request is JSON")
    if (request.content_length or 0) > BODY_MAX:
        return refused(413, f"a request has at most {BODY_MAX} bytes")
    return None


def _outside(request: web.Request, door: Door, cookie: str) -> web.StreamResponse | None:
    """The answer to those who are not let in; the session of those who are goes along."""
    session = door.session(request.cookies.get(cookie))
    if session is not None:
        request["session"] = session
    elif request.path not in _OPEN and not request.path.startswith("/static/"):
        return refused(401, "enter first: by a link of the terminal, or by the secret")
    return None
