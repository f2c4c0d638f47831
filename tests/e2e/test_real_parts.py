"""The same scenario file on embedded and on real parts; and what real parts do when they die."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lab_support import Lab, lab, running
from monitoring_support import Monitors, monitors
from ports_support import free_port
from test_verdicts import finding

pytestmark = pytest.mark.real
TOKEN = "a-token-that-the-alertmanager-knows"


@contextmanager
def listener() -> Iterator[tuple[str, list[tuple[float, dict]]]]:
    """An independent listener that stamps what arrives."""
    stamped: list[tuple[float, dict]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stamped.append((time.time() * 1000, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", stamped
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@contextmanager
def real_lab(
    directory: Path,
    real_server: Callable[..., str],
    others: list[str],
    *,
    bypass: bool = False,
    more_rules: Sequence[dict[str, Any]] = (),
) -> Iterator[tuple[Lab, Monitors]]:
    prometheus = real_server("prometheus")
    alertmanager = real_server("prometheus-alertmanager", "alertmanager")
    real_server("toxiproxy-server")
    receiver = f"127.0.0.1:{free_port()}"
    with lab(directory, kind="real", bypass=bypass) as made:
        ours = f"http://{receiver}/v1/in/{TOKEN}/pager"
        hooks = [ours, *others]
        with monitors(made, prometheus, alertmanager, hooks, more_rules=more_rules) as watching:
            made.environment = {
                "alerts": {
                    "prometheus": {"url": watching.prometheus_url},
                    "alertmanager": {"url": watching.alertmanager_url},
                },
                "receiver": {"listen": receiver, "token": TOKEN},
            }
            yield made, watching


def raw_samples(run: Path) -> tuple[list[int], list[int]]:
    """Wall ms of the raw pending and firing samples of BackSlow, as Prometheus gave them."""
    pending: list[int] = []
    firing: list[int] = []
    for line in (run / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        if (event["kind"], event["phase"], event["subject"]) == ("alert.read", "ok", "prometheus"):
            for series in event["data"]["matrix"]:
                if series["metric"]["alertname"] == "BackSlow":
                    into = firing if series["metric"]["alertstate"] == "firing" else pending
                    into += [round(float(at) * 1000) for at, _ in series["values"]]
    return sorted(pending), sorted(firing)


def moments(run: Path) -> tuple[int, int, int]:
    """Wall ms of the origin, of the fault confirmed on, and of the first delivery."""
    origin = on = delivered = 0
    for line in (run / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        data = event["data"]
        if event["kind"] == "run.opened":
            origin = data["origin_wall_ms"]
        elif (event["kind"], event["phase"]) == ("fault.inject", "ok"):
            on = origin + data["confirmed_ms"]
        elif event["kind"] == "alert.delivered" and data["status"] == "firing" and not delivered:
            delivered = data["arrived_wall_ms"]
    return origin, on, delivered


def test_the_same_scenario_gives_the_same_verdict_on_real_parts(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    """And its times are those of the raw samples, and of a listener that knows nothing of us."""
    (tmp_path / "real").mkdir()
    (tmp_path / "embedded").mkdir()
    with listener() as (url, stamped), real_lab(tmp_path / "real", real_server, [url]) as (made, _):
        scenario = made.write()
        ended = made.run()

        assert ended.returncode == 0, ended.stdout + ended.stderr
        made.assert_clean()
        real = made.result()
        _, firing = raw_samples(made.last_run)
        _, on, delivered = moments(made.last_run)
        independent = next(at for at, body in stamped if body["status"] == "firing")
    with lab(tmp_path / "embedded") as other:
        other.write()
        (other.directory / "scenario.yaml").write_text(scenario.read_text())
        again = other.run()
        assert again.returncode == 0, again.stdout + again.stderr
        embedded = other.result()

    fired = finding(real, "alert/fired", "BackSlow")
    assert fired["facts"]["fired_after_ms"] == firing[0] - on
    assert abs(delivered - independent) <= 50
    reported = {f["expectation"]: f["outcome"] for f in real["expectations"]}
    assert reported == {f["expectation"]: f["outcome"] for f in embedded["expectations"]}
    assert "toxiproxy" in json.dumps(real["parts"])


def test_a_prometheus_that_stops_in_the_middle_makes_the_run_inconclusive(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    with real_lab(tmp_path, real_server, []) as (made, watching):
        made.write()
        with running(made) as runner:
            watching.prometheus.kill()
            output, _ = runner.communicate(timeout=120)

        assert runner.returncode == 3, output
        assert "prometheus" in made.result()["verdict"]["reason"].lower()
        (alert,) = made.result()["alerts"]
        assert alert["verdict"] == "inconclusive"
        assert "`prometheus` could not be read" in alert["reason"]
        made.assert_clean()


#: A window that no Prometheus of a test has seen whole.
LONG = {
    "alert": "BackBurns",
    "expr": 'sum(rate(http_requests_total{code="500"}[5m]))'
    " / sum(rate(http_requests_total[5m])) > 0.05",
    "labels": {"severity": "page"},
}


def test_a_fault_that_no_request_meets_leaves_its_alerts_inconclusive(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    """The service goes past the proxy. And what would flatter an alert stands on the result."""
    with real_lab(tmp_path, real_server, [], bypass=True, more_rules=[LONG]) as (made, _):
        expected = [
            {"alert": name, "labels": {"severity": "page"}, "fires_within": "3s"}
            for name in ("BackSlow", "BackBurns")
        ]
        made.write(
            {
                "phases": {"warmup": "1s", "baseline": "3s", "fault": "4s", "recovery": "2s"},
                "expect": {
                    "fault": ["errors < 5%"],
                    "recovery": ["steady within 2s"],
                    "alerts": expected,
                },
            }
        )

        ended = made.run()

        assert ended.returncode == 3, ended.stdout + ended.stderr
        result = made.result()
        bit = finding(result, "fault/bit")
        assert bit["outcome"] == "inconclusive"
        assert "traffic" in bit["summary"]
        assert [alert["verdict"] for alert in result["alerts"]] == ["inconclusive"] * 2
        # on a busy machine the generator may have been late too
        unclear = [f["summary"] for f in result["validity"] if f["outcome"] == "inconclusive"]
        assert {alert["reason"] for alert in result["alerts"]} == {unclear[0]}
        assert bit["summary"] in unclear
        (cold,) = (n for n in result["notes"] if "BackBurns: Prometheus runs for" in n)
        assert cold.startswith("before the run: ")
        assert "its window is 5 min: it would fire sooner than on a full one" in cold
        assert cold.removeprefix("before the run: ") in (made.last_run / "report.md").read_text()
        made.assert_clean()


def test_a_pipeline_that_is_not_proven_ends_the_run_before_anything_is_touched(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    """The alert of the proof would reach a second webhook too, so it is not even sent."""
    with (
        listener() as (url, stamped),
        real_lab(tmp_path, real_server, [url]) as (made, _),
    ):
        made.environment["alerts"]["pipeline_proof"] = "synthetic"
        made.write()

        ended = made.run()

        assert ended.returncode == 3, ended.stdout + ended.stderr
        assert "pipeline not proven: no alert was sent: `pager`" in ended.stdout
        (alert,) = made.result()["alerts"]
        assert alert["verdict"] == "inconclusive"
        assert alert["reason"].startswith("pipeline not proven: no alert was sent")
        journal = (made.last_run / "journal.jsonl").read_text()
        assert '"kind":"target.open"' not in journal
        assert '"kind":"load.start"' not in journal
        assert stamped == []
        made.assert_clean()
