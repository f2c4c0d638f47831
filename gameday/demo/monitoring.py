"""A real Prometheus and a real Alertmanager for the shop, where they are installed."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib.resources import files
from pathlib import Path

from gameday.demo.keeper import Keeper, tail
from gameday.demo.topology import HOST, Topology, free_ports
from gameday.demo.yamltext import dump

START_WITHIN_S = 20.0
#: Debian names the Alertmanager differently from everybody else.
_ALERTMANAGERS = ("prometheus-alertmanager", "alertmanager")
#: Parts that speak HTTP; database and cache are seen through the gateways' numbers.
_SCRAPED = ("shop", "gateway-1", "gateway-2", "gateway-3", "payments", "inventory")
_RUNBOOKS = "runbooks"


class MonitoringError(Exception):
    """Prometheus or Alertmanager did not start. The message says which, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The configuration that `write_config` wrote."""

    prometheus: Path
    rules: Path
    alertmanager: Path


def monitoring_available() -> bool:
    """Whether both servers are on PATH."""
    return shutil.which("prometheus") is not None and _alertmanager() is not None


def rules_text(runbook_base: str = _RUNBOOKS) -> str:
    """The shop's alerting rules; links to runbooks begin with *runbook_base* (a URL or a path)."""
    text = files("gameday.demo").joinpath("files", "rules.yml").read_text("utf-8")
    base = runbook_base.rstrip("/")
    return text.replace(f"runbook_url: {_RUNBOOKS}/", f"runbook_url: {base}/")


def write_config(
    directory: Path,
    topology: Topology,
    receiver_url: str,
    alertmanager_port: int,
    *,
    scrape_ms: int = 1000,
    runbook_base: str = _RUNBOOKS,
) -> Files:
    """Write prometheus.yml, rules.yml and alertmanager.yml into *directory*.

    Parts are scraped directly, not through their proxies: what is being broken must not blind the
    monitoring. All notifications go to *receiver_url*.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = Files(
        prometheus=directory / "prometheus.yml",
        rules=directory / "rules.yml",
        alertmanager=directory / "alertmanager.yml",
    )
    _dump(written.prometheus, _prometheus(topology, alertmanager_port, scrape_ms, written.rules))
    written.rules.write_text(rules_text(runbook_base), "utf-8")
    _dump(written.alertmanager, _routes(receiver_url))
    written.alertmanager.chmod(0o600)  # the receiver's address may carry a token
    return written


def _prometheus(
    topology: Topology, alertmanager_port: int, scrape_ms: int, rules: Path
) -> dict[str, object]:
    every = f"{scrape_ms}ms"
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
        },
        "rule_files": [str(rules)],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"{HOST}:{alertmanager_port}"]}]}]
        },
        "scrape_configs": [
            {
                "job_name": "shop",
                "static_configs": [
                    {"targets": [topology.direct(name)], "labels": {"part": name}}
                    for name in _SCRAPED
                ],
            }
        ],
    }


def _routes(receiver_url: str) -> dict[str, object]:
    """Pages at once, tickets at once too but elsewhere, the watchdog again and again."""
    names = ("pager", "tickets", "deadman")
    return {
        "route": {
            "receiver": "tickets",
            "group_by": ["alertname", "service"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
            "routes": [
                {
                    "receiver": "deadman",
                    "matchers": ['alertname="Watchdog"'],
                    "repeat_interval": "10s",
                },
                {"receiver": "pager", "matchers": ['severity="page"']},
            ],
        },
        "receivers": [
            {"name": name, "webhook_configs": [{"url": receiver_url, "send_resolved": True}]}
            for name in names
        ],
    }


class Monitoring:
    """Both servers on free loopback ports. They end with this object, or with this process."""

    def __init__(
        self,
        directory: Path,
        topology: Topology,
        receiver_url: str,
        *,
        scrape_ms: int = 1000,
        runbook_base: str = _RUNBOOKS,
    ) -> None:
        self._directory = directory.resolve()
        self._prometheus_port, self._alertmanager_port = free_ports(2)
        self.files = write_config(
            self._directory,
            topology,
            receiver_url,
            self._alertmanager_port,
            scrape_ms=scrape_ms,
            runbook_base=runbook_base,
        )
        self._keeper: Keeper | None = None

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus answers."""
        return f"http://{HOST}:{self._prometheus_port}"

    @property
    def alertmanager_url(self) -> str:
        """Where the Alertmanager answers."""
        return f"http://{HOST}:{self._alertmanager_port}"

    def start(self) -> None:
        """Start both and wait until they are ready. Raises MonitoringError, with both stopped."""
        alertmanager = _alertmanager()
        if alertmanager is None or not monitoring_available():
            raise MonitoringError(
                "`prometheus` and `alertmanager` (or `prometheus-alertmanager`) must be on PATH; "
                "install both, or do without: gameday evaluates built-in alerts itself"
            )
        self._keeper = Keeper()
        try:
            self._guard(
                "alertmanager",
                alertmanager,
                f"--config.file={self.files.alertmanager}",
                f"--storage.path={self._directory / 'alertmanager'}",
                f"--web.listen-address={HOST}:{self._alertmanager_port}",
                "--cluster.listen-address=",  # alone; the default listens on every address
            )
            self._guard(
                "prometheus",
                "prometheus",
                f"--config.file={self.files.prometheus}",
                f"--storage.tsdb.path={self._directory / 'prometheus'}",
                f"--web.listen-address={HOST}:{self._prometheus_port}",
                # An alert that fires before the Alertmanager is known would wait for a minute.
                "--rules.alert.resend-delay=2s",
            )
            self._wait("alertmanager", self._alertmanager_port)
            self._wait("prometheus", self._prometheus_port)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both. Idempotent."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def __enter__(self) -> Monitoring:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _guard(self, name: str, *argv: str) -> None:
        assert self._keeper is not None  # noqa: S101 - only called from start
        self._keeper.start(name, "gameday.demo.guard", argv, self._log(name))

    def _wait(self, name: str, port: int) -> None:
        assert self._keeper is not None  # noqa: S101 - only called from start
        end = time.monotonic() + START_WITHIN_S
        while not _ready(port):
            code = self._keeper.children[name].poll()
            if code is not None or time.monotonic() > end:
                why = f"it ended with exit code {code}" if code is not None else "not ready in time"
                raise MonitoringError(
                    f"{name} did not start: {why}\n{tail(self._log(name))}\n"
                    f"its configuration is in `{self._directory}`"
                )
            time.sleep(0.05)


def _ready(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    else:
        return answer.status == 200
    finally:
        connection.close()


def _alertmanager() -> str | None:
    return next((name for name in _ALERTMANAGERS if shutil.which(name)), None)


def _dump(file: Path, data: dict[str, object]) -> None:
    file.write_text(dump(data), "utf-8")
