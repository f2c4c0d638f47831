"""Tiny servers for the examples of load with other protocols: `grpc` or `websocket`.

Prints its port. Commands come as lines of standard input, each answered with a line: `stall S`
(answer nothing for S seconds, then everything), `hang` (answer nothing more), `well`, `wrong`
(answer something else), `count` (how many were answered well). Ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Mood:
    """How the server behaves now."""

    def __init__(self) -> None:
        self.until, self.answer, self.count = 0.0, "mug costs 5", 0

    def obey(self, line: str) -> str:
        command, _, value = line.strip().partition(" ")
        if command == "count":
            return str(self.count)
        self.until = {"stall": time.monotonic() + float(value or 0), "hang": 1e12}.get(command, 0)
        self.answer = "sold out" if command == "wrong" else "mug costs 5"
        return "ok"

    @property
    def wait_s(self) -> float:
        return min(60.0, self.until - time.monotonic())


def obey(mood: Mood) -> None:
    for line in sys.stdin:
        print(mood.obey(line), flush=True)


def serve_grpc(mood: Mood) -> None:
    import grpc

    def price(_request: bytes, context: Any) -> bytes:
        if mood.wait_s > 0:
            time.sleep(mood.wait_s)
        mood.count += context.is_active()
        return mood.answer.encode()

    handler = grpc.method_handlers_generic_handler(
        "shop.Shop", {"Price": grpc.unary_unary_rpc_method_handler(price)}
    )
    server = grpc.server(ThreadPoolExecutor(200))
    server.add_generic_rpc_handlers((handler,))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    obey(mood)
    server.stop(0)


def serve_websocket(mood: Mood) -> None:
    from aiohttp import web

    async def prices(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            if mood.wait_s > 0:
                await asyncio.sleep(mood.wait_s)
            mood.count += mood.answer.startswith("mug")
            await socket.send_str(mood.answer)
        return socket

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/prices", prices)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    obey(mood)


if __name__ == "__main__":
    {"grpc": serve_grpc, "websocket": serve_websocket}[sys.argv[1]](Mood())
