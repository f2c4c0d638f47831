"""Servers on loopback that take notices: one for what goes over HTTP, and one for mail."""

from __future__ import annotations

import email
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from http_fake import FakeHandler, served


def wait_until(what: str, condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


@dataclass
class Sink:
    """What was sent to it. It answers with `status`, and only while `open` is set."""

    port: int = 0
    status: int = 200
    posts: list[tuple[str, Any]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """As Apprise wants it for plain JSON."""
        return f"json://127.0.0.1:{self.port}/hook-token-1234"

    @property
    def titles(self) -> list[str]:
        return [body["title"] for _, body in self.posts]


@contextmanager
def sink(*, certificate: Path | None = None) -> Iterator[Sink]:
    """Over HTTP, or with a *certificate* (and its key in one file) over HTTPS."""
    state = Sink()
    state.open.set()

    class Handler(FakeHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.posts.append((self.path, body))
            state.open.wait(60)
            self.reply(state.status, b"ok")

    with served(Handler, certificate=certificate) as port:
        state.port = port
        try:
            yield state
        finally:
            state.open.set()


@dataclass
class MailBox:
    """The mail that has come."""

    port: int = 0
    mail: list[Message] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailBox]:
    box = MailBox()

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            box.mail.append(email.message_from_bytes(envelope.content))
            return "250 taken"

    class Bound(Controller):
        """Bound to any free port; the library would ask the port that it was told."""

        def _trigger_server(self) -> None:
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = Bound(Handler(), hostname="127.0.0.1", port=0, ready_timeout=60)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
