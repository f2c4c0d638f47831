"""Asking other systems over HTTP, safely: bounded in time and size, no proxies, no redirects.

Every way in which an answer can fail to come is one `CannotSeeError` that says what and where. The
password of a URL is used, and never shown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.errors import CannotSeeError

CONNECT_S = 2.0
TOTAL_S = 4.0
MAX_BYTES = 32 * 1024 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer, whole. `asked_wall_ms` and `answered_wall_ms` bracket it on our clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_wall_ms: int
    answered_wall_ms: int


def shown(url: str) -> str:
    """*url* without user, password, query and fragment: fit for a message or a journal."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


class Http:
    """A session with one server, for one thread. Close it, or use it in a `with`.

    *what* names the server in messages; a *quiet* session leaves paths out of them.
    """

    def __init__(
        self,
        base_url: str,
        *,
        what: str,
        total_s: float = TOTAL_S,
        max_bytes: int = MAX_BYTES,
        now_wall_ms: NowWallMs = wall_ms,
        quiet: bool = False,
    ) -> None:
        self._quiet = quiet
        self._base = base_url.rstrip("/")
        self._what = what
        self._total_s = total_s
        self._max_bytes = max_bytes
        self._now = now_wall_ms
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Http:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def speak_for(self, host: str, port: int | None) -> None:
        """For a base URL with an address in it: ask for *host*, and check its certificate."""
        self._session.mount("https://", _Pinned(host))
        self._session.headers["Host"] = host if port is None else f"{host}:{port}"

    def get(self, path: str = "", params: Mapping[str, str] | None = None) -> Answer:
        """GET *path* below the base. Any status is an answer. Raises CannotSeeError."""
        return self._ask("GET", path, params=params)

    def get_json(self, path: str, params: Mapping[str, str] | None = None) -> tuple[Any, Answer]:
        """The JSON of a 200 answer. Raises CannotSeeError for everything else."""
        answer = self.get(path, params)
        where = self._where(path)
        if answer.status != 200:
            raise CannotSeeError(f"{where} answered {answer.status}{_reason(answer)}")
        try:
            return json.loads(answer.body), answer
        except (ValueError, RecursionError):
            raise CannotSeeError(f"{where} did not answer with JSON") from None

    def post_json(self, path: str, body: Any) -> Answer:
        """POST *body* as JSON. Any status is an answer. Raises CannotSeeError."""
        return self._ask("POST", path, body=body)

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Any request with a body as it is. Any status is an answer. Raises CannotSeeError."""
        return self._ask(method, path, headers=headers, data=data)

    def _where(self, path: str) -> str:
        return f"{self._what} at {shown(self._base)}{'' if self._quiet else path}"

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        where = self._where(path)
        asked, deadline = self._now(), time.monotonic() + self._total_s
        try:
            with self._session.request(
                method,
                self._base + path,
                params=params,
                json=body,
                data=data,
                headers=headers,
                timeout=(min(CONNECT_S, self._total_s), self._total_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                whole = self._read(response, deadline, where)
                return Answer(
                    status=response.status_code,
                    headers=dict(response.headers),
                    body=whole,
                    asked_wall_ms=asked,
                    answered_wall_ms=self._now(),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise CannotSeeError(f"{where}: {_why(error, self._total_s)}") from None
        except ValueError:  # a URL that cannot be one
            raise CannotSeeError(f"{where}: this is not a URL that can be asked") from None

    def _read(self, response: requests.Response, deadline: float, where: str) -> bytes:
        """The body; a server that drips it is given no more time than one that is silent."""
        parts: list[bytes] = []
        size = 0
        while True:
            part = response.raw.read1(_CHUNK, decode_content=True)
            if not part:
                return b"".join(parts)
            size += len(part)
            parts.append(part)
            if size > self._max_bytes:
                raise CannotSeeError(f"{where} answered with more than {self._max_bytes} bytes")
            if time.monotonic() > deadline:
                raise CannotSeeError(f"{where} did not finish within {self._total_s:g} s")


class _Pinned(HTTPAdapter):
    """Checks the certificate for a name although the URL carries an address."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(
            *args, **kwargs, server_hostname=self._host, assert_hostname=self._host
        )


def _reason(answer: Answer) -> str:
    """The server's own words, if they are short JSON such as Prometheus' `error`."""
    if answer.status in (401, 403):
        return " (credentials are missing or wrong)"
    try:
        raw = json.loads(answer.body[:4096])
    except (ValueError, RecursionError):
        return ""
    error = raw.get("error") if isinstance(raw, dict) else None
    return f": {error[:200]}" if isinstance(error, str) else ""


def _why(error: Exception, total_s: float) -> str:
    text = str(error)
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return f"no answer within {total_s:g} s"
    if "refused" in text:
        return "the connection was refused; is it running there?"
    if "Name or service not known" in text or "resolve" in text:
        return "the host name cannot be resolved"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS certificate cannot be verified"
    if "reset" in text:
        return "the connection was reset"
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return "this is not a URL that can be asked; write for example http://127.0.0.1:9090"
    return f"the answer broke off ({type(error).__name__})"
