"""A run that an endpoint stops, from the scenario file to the report."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab_support import Lab, running


class Health(ThreadingHTTPServer):
    """An endpoint that is well until it is told otherwise."""

    daemon_threads = True
    status = 200


class _Page(BaseHTTPRequestHandler):
    server: Health

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def health() -> Iterator[tuple[Health, str]]:
    server = Health(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_address[1]}/health"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_an_endpoint_that_fails_stops_the_run_and_the_time_to_safe_is_told(
    small_lab: Lab,
) -> None:
    with health() as (server, url):
        signal = {"http": url, "for": "1s", "every": "200ms"}
        small_lab.write({"phases": {"fault": "60s"}, "stop_when": ["errors > 80% for 5s", signal]})
        with running(small_lab) as run:
            server.status = 503
            text, _ = run.communicate(timeout=60)

    assert run.returncode == 4, text
    small_lab.assert_clean()
    found = small_lab.result()
    safety = found["safety"]
    assert found["verdict"]["status"] == "stopped"
    assert "answered 503, for 1" in safety["reason"]
    assert (safety["state"], safety["in_place"], safety["n"]) == ("measured", ["late"], 1)
    assert 0 <= safety["time_to_safe_ms"] < 30_000
    assert [undo["state"] for undo in safety["undos"]] == ["measured"]
    assert "answered 503" in text
    assert "after the stop: the fault confirmed off" in text
    lines = (small_lab.last_run / "journal.jsonl").read_text().splitlines()
    samples = [e for e in map(json.loads, lines) if e["kind"] == "signal.sample"]
    assert samples[0]["data"]["ok"] is True
    assert samples[0]["data"]["bad"] is False
    assert any(sample["data"]["bad"] for sample in samples)
    assert "signal.sample" not in text
