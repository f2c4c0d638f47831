"""A front and a back service for end-to-end tests: small, honest, and told how to behave.

    front  GET /work      asks back (through whatever address it was given), with a timeout
           GET /metrics   Prometheus text
           POST /memory   on, off: answer from its own memory, without asking back
           POST /nothing  answers, and that is all
    back   GET /item      answers at once

With `--fallback` the front answers 200 from its own memory when back is late or gone: a resilient
service that absorbs the fault. Without, it waits for back as long as it takes, and passes errors
on.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5)


class Numbers:
    """Counters of the front, as Prometheus has them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests = {"200": 0, "502": 0}
        self.back = {"ok": 0, "failed": 0}
        self.buckets = [0] * (len(BUCKETS) + 1)

    def count(self, code: str, back_ok: bool, back_s: float) -> None:
        with self.lock:
            self.requests[code] += 1
            self.back["ok" if back_ok else "failed"] += 1
            for i, limit in enumerate((*BUCKETS, float("inf"))):
                self.buckets[i] += back_s <= limit

    def text(self) -> str:
        with self.lock:
            lines = [f'http_requests_total{{code="{c}"}} {n}' for c, n in self.requests.items()]
            lines += [f'back_requests_total{{outcome="{o}"}} {n}' for o, n in self.back.items()]
            names = (*(str(b) for b in BUCKETS), "+Inf")
            lines += [
                f'back_seconds_bucket{{le="{le}"}} {n}'
                for le, n in zip(names, self.buckets, strict=True)
            ]
        return "\n".join(lines) + "\n"


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def back_handler() -> type[Quiet]:
    class Back(Quiet):
        def do_GET(self) -> None:
            self.answer(200, b'{"item": "mug"}')

    return Back


def front_handler(back: str, fallback: bool, timeout_s: float) -> type[Quiet]:
    numbers = Numbers()
    host, _, port = back.rpartition(":")
    memory = threading.Event()

    def ask() -> bool:
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        try:
            connection.request("GET", "/item")
            return connection.getresponse().read() != b""
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    class Front(Quiet):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, numbers.text().encode())
                return
            if self.path == "/healthz":
                self.answer(200, b"well")
                return
            if self.path.startswith("/runbooks/"):
                self.answer(404, b"no such page")
                return
            begun = time.monotonic()
            ok = memory.is_set() or ask()
            code = 200 if ok or fallback else 502
            numbers.count(str(code), ok, time.monotonic() - begun)
            self.answer(code, b"here you are")

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/memory":
                (memory.clear if said == b"off" else memory.set)()
            self.answer(200, b"so be it")

    return Front


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--front", type=int, required=True)
    parser.add_argument("--back", type=int, required=True)
    parser.add_argument("--back-via", required=True)
    parser.add_argument("--fallback", action="store_true")
    parser.add_argument("--timeout", type=float, default=10.0)
    options = parser.parse_args()
    front = front_handler(options.back_via, options.fallback, options.timeout)
    servers = [
        Server(("127.0.0.1", options.front), front),
        Server(("127.0.0.1", options.back), back_handler()),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()  # until whoever started us is gone


if __name__ == "__main__":
    main()
