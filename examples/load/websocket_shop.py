"""A WebSocket service under gameday's load: a visitor connects once, then asks and is answered.

    load:
      target: shop
      locustfile: examples/load/websocket_shop.py
      arrivals: 50/s

Needs `websocket-client`, which works with Locust as it is. Two things are done here that HTTP users
get for nothing: a timeout on connecting and on every answer, and the `request` event for every
question, with the exception that it failed with. A broken connection is made anew by the next
visit, and the time that takes belongs to that visit.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import websocket
from locust import User, task

TIMEOUT_S = 1.0


class Shopper(User):
    """Keeps one connection for all of its visits."""

    connection: websocket.WebSocket | None = None

    @task
    def ask(self) -> None:
        """One question with its answer is one request."""
        if self.connection is None and not self.measured("connect", self.connect):
            return
        self.measured("price", self.price)

    def connect(self) -> int:
        """Raises when nobody answers."""
        url = (self.host or "").replace("http", "ws", 1) + "/prices"
        self.connection = websocket.create_connection(url, timeout=TIMEOUT_S)
        return 0

    def price(self) -> int:
        """The size of the answer. Raises when there is none, or a wrong one."""
        self.connection.send("mug")
        answer = self.connection.recv()
        if not answer.startswith("mug costs "):
            raise AssertionError(f"wrong answer `{answer[:40]}`")
        return len(answer)

    def measured(self, name: str, what: Callable[[], int]) -> bool:
        """Do it and report it; False if it failed."""
        began, error, length = perf_counter(), None, 0
        try:
            length = what()
        except websocket.WebSocketTimeoutException as failed:
            error = TimeoutError(str(failed))  # gameday counts it as `timeout`
        except (OSError, websocket.WebSocketException) as failed:
            error = ConnectionError(str(failed))  # as `connection`
        except AssertionError as failed:
            error = failed  # as `expectation`
        self.environment.events.request.fire(
            request_type="websocket",
            name=name,
            response_time=(perf_counter() - began) * 1000,
            response_length=length,
            exception=error,
        )
        if error is not None:
            self.leave()
        return error is None

    def leave(self) -> None:
        """Hang up."""
        if self.connection is not None:
            self.connection.shutdown()
            self.connection = None

    def on_stop(self) -> None:
        """The load is over."""
        self.leave()
