"""A collector of traces that keeps what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from http_fake import FakeHandler, served


@dataclass
class Collector:
    """Its state, and how it answers."""

    url: str = ""
    status: int = 200
    answer: bytes = b'{"partialSuccess":{}}'
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def collector() -> Iterator[Collector]:
    state = Collector()

    class Handler(FakeHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.posts.append((self.path, headers, body))
            self.reply(state.status, state.answer)

    with served(Handler) as port:
        state.url = f"http://127.0.0.1:{port}"
        yield state
