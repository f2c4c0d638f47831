"""A real Prometheus and a real Alertmanager around the small service."""

from __future__ import annotations

import contextlib
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab_support import Lab, process, wait_until
from ports_support import free_port

RULE = (
    "histogram_quantile(0.5, sum by (le) (rate(back_seconds_bucket[5s]))) > 0.3 "
    "and sum(rate(http_requests_total[5s])) > 1"
)


@dataclass
class Monitors:
    prometheus_url: str
    alertmanager_url: str
    prometheus: subprocess.Popen[bytes]


@contextlib.contextmanager
def monitors(
    lab: Lab,
    prometheus: str,
    alertmanager: str,
    receivers: list[str],
    *,
    more_rules: Sequence[dict[str, Any]] = (),
) -> Iterator[Monitors]:
    """Both servers, one second between scrapes and evaluations; notices go to every receiver."""
    directory = lab.directory / "monitoring"
    directory.mkdir()
    own, am = free_port(), free_port()
    _dump(
        directory / "rules.yml",
        {
            "groups": [
                {
                    "name": "front",
                    "rules": [
                        {
                            "alert": "BackSlow",
                            "expr": RULE,
                            "for": "1s",
                            "labels": {"severity": "page", "service": "front"},
                            "annotations": {"runbook_url": "runbooks/back.md"},
                        },
                        *more_rules,
                    ],
                }
            ]
        },
    )
    every = "1s"
    _dump(
        directory / "prometheus.yml",
        {
            "global": {
                "scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every,
            },
            "rule_files": ["rules.yml"],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{am}"]}]}]
            },
            "scrape_configs": [
                {
                    "job_name": "front",
                    "static_configs": [{"targets": [f"127.0.0.1:{lab.front}"]}],
                }
            ],
        },
    )  # fmt: skip
    hooks = [{"url": url, "send_resolved": True} for url in receivers]
    _dump(
        directory / "alertmanager.yml",
        {
            "route": {
                "receiver": "pager", "group_by": ["alertname"], "group_wait": "0s",
                "group_interval": "1s", "repeat_interval": "1h",
            },
            "receivers": [{"name": "pager", "webhook_configs": hooks}],
        },
    )  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": directory}
    with (
        process(
            [
                alertmanager, "--config.file=alertmanager.yml", "--storage.path=am",
                f"--web.listen-address=127.0.0.1:{am}", "--cluster.listen-address=",
            ],
            **quiet,
        ),
        process(
            [
                prometheus, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            **quiet,
        ) as child,
    ):  # fmt: skip
        for port in (own, am):
            wait_until("the server is ready", lambda port=port: _ready(port))
        yield Monitors(
            prometheus_url=f"http://127.0.0.1:{own}",
            alertmanager_url=f"http://127.0.0.1:{am}",
            prometheus=child,
        )


def _dump(path: Path, data: object) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
