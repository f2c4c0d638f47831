"""A Grafana that keeps annotations: as much of its API as a run uses, and as strict."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from http_fake import FakeHandler, served

TOKEN = "glsa_right"


@dataclass
class Grafana:
    """Its state. `refuse` calls are answered 503 first; while `hang` is not set, none is."""

    url: str = ""
    annotations: dict[int, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    refuse: int = 0
    hang: threading.Event = field(default_factory=threading.Event)

    def answer(self, method: str, path: str, token: str, body: Any) -> tuple[int, dict[str, Any]]:
        if self.refuse > 0:
            self.refuse -= 1
            return 503, {"message": "database is locked"}
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        if method == "POST" and path == "/api/annotations":
            return self._made(body)
        if method == "PATCH" and path.startswith("/api/annotations/"):
            return self._changed(int(path.rpartition("/")[2]), body)
        return 404, {"message": "Not found"}

    def _made(self, body: Any) -> tuple[int, dict[str, Any]]:
        if not body.get("text"):
            return 400, {"message": "Failed to save annotation"}
        if not _is_ms(body.get("time")) or not _is_ms(body.get("timeEnd", body["time"])):
            return 400, {"message": "bad request data"}
        number = len(self.annotations) + 1
        self.annotations[number] = {"timeEnd": body["time"], **body}
        return 200, {"message": "Annotation added", "id": number}

    def _changed(self, number: int, body: Any) -> tuple[int, dict[str, Any]]:
        if number not in self.annotations:
            return 404, {"message": "Could not find annotation to update"}
        self.annotations[number].update(body)
        return 200, {"message": "Annotation patched"}

    def by_text(self) -> dict[str, dict[str, Any]]:
        return {one["text"]: one for one in self.annotations.values()}


def _is_ms(value: Any) -> bool:
    return isinstance(value, int) and value > 1_000_000_000_000


@contextmanager
def grafana() -> Iterator[Grafana]:
    state = Grafana()
    state.hang.set()

    class Handler(FakeHandler):
        def _do(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.hang.wait(10)
            token = self.headers.get("Authorization", "")
            status, answer = state.answer(self.command, self.path, token, body)
            state.calls.append((self.command, self.path, status))
            self.reply(status, json.dumps(answer).encode())

        do_POST = do_PATCH = _do  # noqa: N815 - the names that http.server calls

    with served(Handler) as port:
        state.url = f"http://127.0.0.1:{port}"
        try:
            yield state
        finally:
            state.hang.set()
