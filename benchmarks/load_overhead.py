"""How much load one generator process can make honestly, as a ratio to wrk.

Raises the arrival rate of a one-step journey until the start lag's p99 passes 10 ms, against a
small C server where there is one (nginx), else a server of Python's own, which then is the limit.
Prints one JSON object. Bounded to about a minute. Run it on a quiet machine:

    python benchmarks/load_overhead.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gameday.adapters.locust.driver import LocustLoad
from gameday.model.event import Event
from gameday.model.histogram import count, merged, quantile_ms
from gameday.model.scenario import Journey, LoadSpec, RequestStep
from gameday.model.window import tick_from_json

RATES = (500, 1_000, 2_000, 3_000, 4_000, 6_000)
SECONDS = 4
LIMIT_MS = 10.0
NGINX = """daemon off; master_process off; pid {dir}/pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000;
client_body_temp_path {dir}; proxy_temp_path {dir};
fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "ok"; }} }} }}
"""
OWN = """
import asyncio, sys
class Ok(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
        self.transport.write(answer * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(
        Ok, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(main())
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as (url, server):
        steps = []
        for rate in RATES:
            step = measure(url, rate, Path(directory, str(rate)))
            steps.append(step)
            print(json.dumps(step), file=sys.stderr)
            if not step["honest"]:
                break
        best = max((s["asked_per_s"] for s in steps if s["honest"]), default=0)
        wrk = wrk_per_s(url)
        result = {
            "server": server,
            "cpus": os.cpu_count(),
            "limit_ms": LIMIT_MS,
            "max_arrivals_per_s": best,
            "wrk_per_s": wrk,
            "ratio_to_wrk": round(best / wrk, 4) if wrk else None,
            "steps": steps,
        }
    print(json.dumps(result, indent=1))
    return 0


def measure(url: str, rate: int, directory: Path) -> dict[str, object]:
    """One rate for some seconds; the first one is warm-up."""
    step = RequestStep(method="GET", path="/", name="/")
    spec = LoadSpec(
        target="s",
        arrivals_per_s=rate,
        timeout_ms=2_000,
        journeys=(Journey(name="all", steps=(step,)),),
    )
    events: list[Event] = []
    load = LocustLoad(spec, url, directory)
    origin_ns = time.monotonic_ns()
    try:
        load.start(events.append, origin_wall_ms=int(time.time() * 1000), origin_mono_ns=origin_ns)
        time.sleep(SECONDS)
    finally:
        load.stop()
    ticks = [tick_from_json(e.data) for e in events if e.kind == "load.window"][1:-1]
    lag = quantile_ms(merged(t.start_lag for t in ticks), 0.99)
    cells = [c for t in ticks for c in t.cells]
    done = sum(count(c.response) for c in cells)
    good = merged(c.response for c in cells if c.good)
    honest = lag is not None and lag < LIMIT_MS and done >= 0.98 * rate * len(ticks)
    return {
        "asked_per_s": rate,
        "done_per_s": round(done / max(1, len(ticks))),
        "start_lag_p99_ms": lag,
        "response_p99_ms": quantile_ms(good, 0.99),
        "loop_lag_max_ms": max((t.loop_lag_ms for t in ticks), default=None),
        "cpu_share": round(sum(t.cpu_share for t in ticks) / max(1, len(ticks)), 3),
        "honest": honest,
    }


def wrk_per_s(url: str) -> float | None:
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    done = subprocess.run(
        [wrk, "-t1", "-c10", "-d4s", url], capture_output=True, text=True, timeout=30, check=True
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(found[1]) if found else None


@contextmanager
def serving(directory: Path) -> Iterator[tuple[str, str]]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(dir=directory, port=port))
        command = [nginx, "-c", str(config)]
    else:
        command = [sys.executable, "-c", OWN, str(port)]
    child = subprocess.Popen(command)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/", "nginx" if nginx else "asyncio"
    finally:
        child.terminate()
        child.wait(10)


if __name__ == "__main__":
    sys.exit(main())
