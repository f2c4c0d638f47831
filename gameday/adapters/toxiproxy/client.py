"""One Toxiproxy server over HTTP: every call bounded, every status checked, nothing shared.

The library `toxiproxy-python` is the transport and nothing more. As it comes it has no timeouts,
takes a 500 for success, keeps its address in the class that all users share, and asks the
company's HTTP proxy for the way to 127.0.0.1.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from requests import RequestException, Response, Timeout
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from gameday.adapters.toxiproxy.state import ProxyState, ToxicState
from gameday.errors import AdapterError, UsageError

CONNECT_S = 1.0
READ_S = 5.0
#: A route that only gameday's own server has.
HEALTH_PATH = "/gameday/health"
_ANSWER_LIMIT = 16 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_DEFAULT_PORT = 8474
_STATUS_OF = {ProxyExists: 409, NotFound: 404, InvalidToxic: 400}


class ToxiproxyUnavailableError(AdapterError):
    """Nothing answers at the address."""


class ToxiproxyWedgedError(AdapterError):
    """The server lives but its control plane hangs; only a restart helps."""


class ToxiproxyRefusedError(AdapterError):
    """The server said no. `status` is the HTTP status, `message` its own words."""

    def __init__(self, status: int, message: str, what: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"Toxiproxy refused to {what}: {message} (status {status})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Host and port of a server's API; the host of an IPv6 address stands in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"


def address_of(url: str) -> Address:
    """Read `http://host:port`. Raises `UsageError` for anything else."""
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
        raise UsageError(
            f"`{url}` is not the address of a Toxiproxy server; write `http://127.0.0.1:8474`"
        )
    if parts.username or parts.query or parts.fragment:
        raise UsageError(f"`{parts.hostname}`: the address of a Toxiproxy is host and port alone")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(host=host, port=port or _DEFAULT_PORT)


def checked_name(name: str) -> str:
    """*name*, if a Toxiproxy can be asked for it again. Raises `UsageError`."""
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise UsageError(
            f"`{name}` cannot be the name of a proxy or toxic; "
            "letters, digits, `-`, `_` and `.` are allowed"
        )
    return name


class ToxiproxyClient:
    """Calls to one server, at most `CONNECT_S` and `READ_S` each; safe to use from any thread.

    `within_s` bounds all calls of this client together, from now on.
    """

    def __init__(self, url: str, *, within_s: float | None = None) -> None:
        self.address = address_of(url)
        self.url = str(self.address)
        self._deadline = None if within_s is None else time.monotonic() + within_s
        where = {"host": self.address.host, "port": self.address.port}
        self._transport: Any = type("Transport", (APIConsumer,), where)

    def within(self, seconds: float) -> ToxiproxyClient:
        """A client whose calls end, all together, in *seconds* from now."""
        return ToxiproxyClient(self.url, within_s=seconds)

    def proxies(self) -> dict[str, ProxyState]:
        """All proxies by name, with their toxics."""
        answer = self._json("GET", "/proxies", "list its proxies")
        return {name: ProxyState.from_json(raw) for name, raw in answer.items()}

    def proxy(self, name: str) -> ProxyState | None:
        """One proxy, or None."""
        try:
            return ProxyState.from_json(self._json("GET", _path(name), f"show `{name}`"))
        except ToxiproxyRefusedError as error:
            if error.status == 404:
                return None
            raise

    def create(self, name: str, *, listen: str, upstream: str, enabled: bool) -> ProxyState:
        """Create a proxy without toxics. Raises `ToxiproxyRefusedError` 409 if there is one."""
        asked = {
            "name": checked_name(name), "listen": listen, "upstream": upstream, "enabled": enabled
        }  # fmt: skip
        return ProxyState.from_json(self._json("POST", "/proxies", f"create `{name}`", asked))

    def delete(self, name: str) -> bool:
        """Delete a proxy with its connections; False if there was none."""
        try:
            self._call("DELETE", _path(name), f"delete `{name}`")
        except ToxiproxyRefusedError as error:
            if error.status == 404:
                return False
            raise
        return True

    def add_toxic(self, name: str, toxic: ToxicState) -> ToxicState:
        """Add a toxic to a proxy. The caller has checked the attributes."""
        checked_name(toxic.name)
        what = f"add the toxic `{toxic.name}` to `{name}`"
        return ToxicState.from_json(
            self._json("POST", f"{_path(name)}/toxics", what, toxic.to_json())
        )

    def enable(self, name: str, enabled: bool) -> ProxyState:
        """Let a proxy listen, or not."""
        what = f"{'enable' if enabled else 'disable'} `{name}`"
        return ProxyState.from_json(self._json("POST", _path(name), what, {"enabled": enabled}))

    def set_upstream(self, name: str, upstream: str) -> ProxyState:
        """Change where a proxy leads; its connections are dropped."""
        asked = {"upstream": upstream}
        return ProxyState.from_json(self._json("POST", _path(name), f"change `{name}`", asked))

    def version(self) -> str:
        """The server's version. It answers even when the server hangs: no sign of health."""
        return str(self._json("GET", "/version", "tell its version").get("version", "?"))

    def software(self) -> str:
        """Which server it is, for people: `toxiproxy-server 2.12.0`, or gameday's embedded one."""
        version = self.version()
        try:
            self._call("GET", HEALTH_PATH, "tell its health")
        except AdapterError:
            return f"toxiproxy-server {version}"
        return f"embedded server {version}"

    def alive(self) -> bool:
        """Whether the server can list its proxies: the one true sign of health."""
        try:
            self.proxies()
        except AdapterError:
            return False
        return True

    # -- transport ----------------------------------------------------------------------------

    def _json(
        self, verb: str, path: str, what: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        raw = self._call(verb, path, what, body)
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise AdapterError(
                f"{self.url} does not answer like a Toxiproxy; check the address and the port"
            )
        return answer

    def _call(
        self, verb: str, path: str, what: str, body: Mapping[str, Any] | None = None
    ) -> bytes:
        try:
            response = self._send(verb, path, body)
        except Timeout as error:
            raise self._silent(what) from error
        except (RequestException, ValueError) as error:
            raise ToxiproxyUnavailableError(
                f"no Toxiproxy answers at {self.url} (asked to {what}); "
                f"start it, or correct the address in the project file: {_cause(error)}"
            ) from error
        except (ProxyExists, NotFound, InvalidToxic) as error:
            raise _refused(_STATUS_OF[type(error)], error.args[0], what) from None
        if response.status_code == 503:
            raise self._silent(what)
        if not 200 <= response.status_code < 300:
            raise _refused(response.status_code, response.content, what)
        return bytes(response.content)

    def _send(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Response:
        options: dict[str, Any] = {
            "timeout": self._timeout(),
            "proxies": {"http": None, "https": None, "all": None},
            "allow_redirects": False,
            "auth": _no_credentials,
            "stream": True,
            "hooks": {"response": _read_bounded},
        }
        if verb == "POST":
            options["json"] = dict(body or {})
        method: Callable[..., Response] = getattr(self._transport, verb.lower())
        return method(path, **options)

    def _timeout(self) -> tuple[float, float]:
        if self._deadline is None:
            return CONNECT_S, READ_S
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Timeout("no time left")
        return min(CONNECT_S, left), min(READ_S, left)

    def _silent(self, what: str) -> AdapterError:
        """Why a call was not answered: a hanging control plane or a hanging machine."""
        try:
            probe = ToxiproxyClient(self.url, within_s=CONNECT_S)
            response = probe._send("GET", "/version", None)
            alive = response.status_code == 200
        except (RequestException, ValueError, ProxyExists, NotFound, InvalidToxic):
            alive = False
        if alive:
            return ToxiproxyWedgedError(
                f"the Toxiproxy at {self.url} lives but did not {what} in time: its control plane "
                "hangs, and then only a restart of the server helps"
            )
        return ToxiproxyUnavailableError(
            f"the Toxiproxy at {self.url} did not {what} in time and answers nothing else; "
            "look whether its process and machine still run"
        )


def _path(name: str) -> str:
    return "/proxies/" + quote(checked_name(name), safe="")


def _no_credentials(request: Any) -> Any:
    """Keep a `.netrc` from adding credentials that are not meant for this server."""
    return request


def _read_bounded(response: Response, *args: object, **kwargs: object) -> None:
    """Read the answer here, so that a wrong address cannot fill the memory."""
    parts, size = [], 0
    for part in response.iter_content(65536):
        parts.append(part)
        size += len(part)
        if size > _ANSWER_LIMIT:
            response.close()
            raise ValueError(f"an answer of more than {_ANSWER_LIMIT} bytes")
    response._content = b"".join(parts)
    response.close()


def _refused(status: int, body: bytes, what: str) -> ToxiproxyRefusedError:
    text = body.decode("utf-8", "replace").strip()
    try:
        answer = json.loads(text)
        message = str(answer["error"])
    except (ValueError, KeyError, TypeError):
        message = text[:200] or "no reason given"
    return ToxiproxyRefusedError(status, message, what)


def _cause(error: BaseException) -> str:
    """The innermost reason, in a few words."""
    seen: BaseException = error
    while (inner := seen.__cause__ or seen.__context__) is not None:
        seen = inner
    text = str(seen).rpartition("] ")[2]
    return text.lower()[:120] or type(seen).__name__
