"""A gRPC service under gameday's load: the unary call `shop.Shop/Price`.

    load:
      target: shop
      locustfile: examples/load/grpc_shop.py
      arrivals: 50/s

Needs `grpcio`. Three things are done here that HTTP users get for nothing:

- `init_gevent`, before any channel: else the first call stops every other visitor, too;
- a timeout on every call: the `timeout` of the scenario bounds HTTP requests alone;
- the `request` event for every call, with an exception that says how it failed.

The messages are plain bytes; with generated code, `shop_pb2_grpc.ShopStub(channel).Price(...)`
takes the place of `channel.unary_unary(...)`.
"""

from __future__ import annotations

from time import perf_counter
from urllib.parse import urlsplit

import grpc
import grpc.experimental.gevent
from locust import User, task

grpc.experimental.gevent.init_gevent()

TIMEOUT_S = 1.0


class UnavailableError(ConnectionError):
    """No connection to the service: gameday counts it as `connection`."""


class UnansweredError(TimeoutError):
    """No answer in time: gameday counts it as `timeout`."""


#: What is worth telling apart; every other status is counted as `other`.
KINDS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: UnansweredError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
}


class Shopper(User):
    """Asks for prices. Its visitors share one channel, as the users of one client would."""

    channel: grpc.Channel | None = None

    def on_start(self) -> None:
        """Connect once, for all users: a channel carries many calls at the same time."""
        if Shopper.channel is None:
            address = urlsplit(self.host or "")
            Shopper.channel = grpc.insecure_channel(f"{address.hostname}:{address.port}")
        self.price = Shopper.channel.unary_unary("/shop.Shop/Price")

    @task
    def ask(self) -> None:
        """One call is one request."""
        began, error, answer = perf_counter(), None, b""
        try:
            answer = self.price(b"mug", timeout=TIMEOUT_S)
        except grpc.RpcError as failed:
            error = KINDS.get(failed.code(), Exception)(f"{failed.code().name}: {failed.details()}")
        self.environment.events.request.fire(
            request_type="grpc",
            name="shop.Shop/Price",
            response_time=(perf_counter() - began) * 1000,
            response_length=len(answer),
            exception=error,
        )
