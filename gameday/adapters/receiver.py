"""A webhook receiver of our own: what arrives here was delivered, at the time of its stamp.

Firing is what Prometheus says, delivered is what arrived: two facts. The stamp is taken when the
body is whole, before anything is parsed; the payload (secrets masked) is stored before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.adapters.receiver_dialects import (
    SIGNATURE,
    Push,
    signature_fits,
    understood,
)
from gameday.adapters.receiver_payloads import Delivery, MalformedError
from gameday.errors import RefusedError, UsageError
from gameday.model.event import Event
from gameday.ports import Emit

MAX_BODY = 1024 * 1024
#: A sender that is silent for this long in the middle of a request is given up.
IDLE_S = 5.0
#: A body must be whole within this time.
BODY_S = 10.0
#: Requests at the same time; more are turned away, their senders try again.
MAX_REQUESTS = 64
EVIDENCE = "deliveries.jsonl"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:-]{0,99}")
_PREFIX = "/v1/in/"
#: What tools append that send events to PagerDuty.
_ENQUEUE = "/v2/enqueue"


class Receiver:
    """Listens for alert webhooks and tells each alert of a payload: delivered or acknowledged."""

    def __init__(
        self,
        listen: str = "127.0.0.1:0",
        token: str | None = None,
        evidence_dir: Path | str = "evidence",
        *,
        pagerduty_secret: str | None = None,
        now_wall_ms: NowWallMs = wall_ms,
    ) -> None:
        self._listen = _address(listen)
        self._token = token or secrets.token_urlsafe(18)
        self._evidence = Path(evidence_dir) / EVIDENCE
        self._pagerduty_secret = pagerduty_secret
        self._now = now_wall_ms
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._emit: Emit | None = None
        self._lines = 0
        self.malformed = 0  # bodies that were answered with 400 or 413
        self.strangers = 0  # requests with a wrong token or path

    @property
    def address(self) -> str:
        """`host:port` as bound. Only after `open` or `start`."""
        if self._server is None:
            raise UsageError("the receiver has no address before it listens")
        host, port = self._server.server_address[:2]
        text = str(host)
        return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"

    @property
    def url(self) -> str:
        """Where webhooks are to be sent; `/<name>` may follow it, and names the receiver."""
        return f"http://{self.address}{_PREFIX}{self._token}"

    def open(self) -> str:
        """Bind the address (idempotent), so that its URL is known. Raises RefusedError."""
        if self._server is None:
            family = socket.AF_INET6 if ":" in self._listen[0] else socket.AF_INET
            try:
                self._server = _Server(self._listen, family, self)
            except OSError as error:
                host, port = self._listen
                raise RefusedError(
                    f"the receiver cannot listen on `{host}:{port}`: {error.strerror or error}; "
                    "another run may be using it: end that one, or set another `receiver_listen`"
                ) from None
        return self.url

    def start(self, emit: Emit) -> None:
        """Begin to listen. A second start changes nothing."""
        self.open()
        if self._thread is not None or self._server is None:
            return
        self._emit = emit
        self._evidence.parent.mkdir(parents=True, exist_ok=True)
        self._lines = _lines_in(self._evidence)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="receiver",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """End, within about a second. Idempotent."""
        server, self._server = self._server, None
        thread, self._thread = self._thread, None
        if thread is not None and server is not None:
            server.shutdown()
            thread.join(2.0)
        if server is not None:
            server.server_close()
            server.hang_up()

    def receive(
        self, path: str, body: bytes, arrived_wall_ms: int, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """One POST: store, then emit. Returns status and body of the answer. From many threads.

        Header names are lower case.
        """
        name = self._name_of(path)
        if name is None:
            with self._lock:
                self.strangers += 1
            return 404, b""
        agent = headers.get("user-agent", "")[:100]
        line = {"arrived_wall_ms": arrived_wall_ms, "receiver": name, "agent": agent}
        push: Push | None = None
        refused = ""
        try:
            push = _parsed(body, headers, name)
            refused = self._unsigned(body, headers, push)
            line["body"] = push.body
        except MalformedError as error:
            # never as it came: a body that cannot be read cannot be masked either
            digest = hashlib.sha256(body).hexdigest()
            line |= {"malformed": str(error), "bytes": len(body), "sha256": digest}
        if refused:
            line["refused"] = refused
        try:
            number = self._store(line)
        except OSError:
            return 500, b""  # not stored, so not received: the sender tries again
        if push is None or refused:
            with self._lock:
                self.malformed += push is None
                self.strangers += bool(refused)
            return (401 if refused else 400), b""
        self._tell(push, name, arrived_wall_ms, number)
        return push.status, push.reply

    def _unsigned(self, body: bytes, headers: Mapping[str, str], push: Push) -> str:
        """Why the sender is not who it says; empty if it is, or need not show it."""
        secret = self._pagerduty_secret
        if secret is None or not push.signed:
            return ""
        fits = signature_fits(secret, body, headers.get(SIGNATURE, ""))
        return "" if fits else f"`{SIGNATURE}` is missing or wrong"

    def _tell(self, push: Push, name: str, arrived_wall_ms: int, number: int) -> None:
        emit = self._emit
        if emit is None:
            return
        if push.note:
            data = {"text": push.note, "raw": number}
            emit(Event(kind="receiver.note", subject=name or "receiver", data=data))
        for one in push.deliveries:
            emit(_event(one, arrived_wall_ms, number))

    def refuse(self) -> None:
        """Count a body that was not even read."""
        with self._lock:
            self.malformed += 1

    def now_wall_ms(self) -> int:
        """The stamp for what has arrived just now."""
        return self._now()

    def _name_of(self, path: str) -> str | None:
        """The receiver's name in *path* (may be empty); None if the token is not ours."""
        where = path.partition("?")[0].removesuffix(_ENQUEUE).rstrip("/")
        token, _, name = where.removeprefix(_PREFIX).partition("/")
        ours = where.startswith(_PREFIX) and hmac.compare_digest(
            token.encode(), self._token.encode()
        )
        name = unquote(name)
        return name if ours and (name == "" or _NAME.fullmatch(name)) else None

    def _store(self, line: dict[str, Any]) -> int:
        with self._lock, self._evidence.open("a", encoding="utf-8") as file:
            self._lines += 1
            json.dump({"line": self._lines, **line}, file, ensure_ascii=False)
            file.write("\n")
            return self._lines


def _parsed(body: bytes, headers: Mapping[str, str], receiver: str) -> Push:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedError("the body is not JSON") from None
    return understood(raw, headers, receiver=receiver)


def _event(one: Delivery, arrived_wall_ms: int, line: int) -> Event:
    data = {
        "receiver": one.receiver,
        "status": one.status,
        "labels": dict(one.labels),
        "annotations": dict(one.annotations),
        "arrived_wall_ms": arrived_wall_ms,
        "starts_wall_ms": one.starts_wall_ms,
        "ends_wall_ms": one.ends_wall_ms,
        "fingerprint": one.fingerprint,
        "group": one.group,
        "dialect": one.dialect,
        "raw": line,
    }
    if one.status == "acknowledged":
        data["acknowledged_wall_ms"] = one.acknowledged_wall_ms
        return Event(kind="alert.acknowledged", subject=one.alert, data=data)
    return Event(kind="alert.delivered", subject=one.alert, data=data)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise UsageError(
            f"`{listen}` is no address to listen on; "
            "write for example `127.0.0.1:0` or `[::1]:9099`"
        )
    return host, int(port)


def _lines_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


class _Server(ThreadingHTTPServer):
    """A thread a request, at most `MAX_REQUESTS`; knows its connections, to hang up at the end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], family: socket.AddressFamily, owner: Receiver
    ) -> None:
        self.address_family = family
        self.owner = owner
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without the reverse DNS look-up of the standard library."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "receiver", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand the connection to a thread, or hang up when there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection, and free its place."""
        with self._guard:
            known = request in self._open
            self._open.discard(request)
        super().shutdown_request(request)
        if known:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the sender's affair: it tries again."""

    def hang_up(self) -> None:
        """End the connections that are still open."""
        with self._guard:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request a connection (HTTP/1.0 answers), so that nothing lingers."""

    server: _Server
    timeout = IDLE_S
    server_version = "gameday"
    sys_version = ""

    def do_POST(self) -> None:
        owner = self.server.owner
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            owner.refuse()
            self._answer(411)
            return
        if int(length) > MAX_BODY:
            owner.refuse()
            self._answer(413)
            return
        body = self._body(int(length))
        arrived = owner.now_wall_ms()
        if len(body) < int(length):
            owner.refuse()
            self._answer(400)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(*owner.receive(self.path, body, arrived, headers))

    def _body(self, length: int) -> bytes:
        """What came within the time; shorter than *length* if the sender was too slow."""
        parts, left, deadline = [], length, time.monotonic() + BODY_S
        while left and time.monotonic() < deadline:
            part = self.rfile.read1(left)
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _answer(self, status: int, reply: bytes = b"") -> None:
        self.send_response(status)
        if reply:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the token is in the path."""
