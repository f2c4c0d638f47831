"""A scenario and a project that are right, as plain data, for tests to change."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from gameday.model.diagnostics import Diagnostic
from gameday.model.project import Project
from gameday.model.scenario import Scenario
from gameday.scenario.build import read_document, read_project
from gameday.scenario.lint import lint
from gameday.scenario.load import load_text
from gameday.scenario.scope import Scope

SCENARIO: dict[str, Any] = {
    "gameday": 1,
    "id": "slow",
    "title": "Payments answers late",
    "service": "shop",
    "owner": "team-checkout",
    "tags": ["smoke"],
    "hypothesis": "Checkout stays fast because it gives up on payments.",
    "load": {
        "target": "shop",
        "arrivals": "100/s",
        "timeout": "5s",
        "journeys": {
            "browse": {"weight": 3, "steps": [{"get": "/products", "expect": {"status": 200}}]},
            "checkout": {
                "steps": [
                    {"get": "/cart", "name": "cart", "headers": {"x-a": "b"}},
                    {"post": "/checkout", "json": {"sku": "A1", "n": 1}},
                ]
            },
        },
    },
    "phases": {"baseline": "30s", "fault": "1m", "recovery": "60s"},
    "faults": [
        {
            "id": "late",
            "target": "payments",
            "toxic": {"type": "latency", "latency": "800ms", "jitter": "50ms", "toxicity": "50%"},
        },
        {"id": "gone", "target": "redis", "down": True, "start": "10s", "length": "20s"},
    ],
    "expect": {
        "baseline": ["errors < 1%", "p95 < 300ms"],
        "fault": ["errors < 2%", "checkout p95 < 1s"],
        "recovery": ["steady within 30s"],
        "alerts": [
            {
                "alert": "CheckoutSlow",
                "labels": {"severity": "page"},
                "fires_within": "30s",
                "resolves_within": "30s",
                "receiver": "pager",
                "runbook": "runbooks/slow.md",
                "fault": "late",
            }
        ],
        "quiet": [{"severity": "page"}],
        "runbooks": [{"path": "runbooks/slow.md", "restores_within": "2m"}],
    },
    "stop_when": ["errors > 50% for 10s"],
    "revert_for": "90s",
    "profiles": {"smoke": {"phases": {"baseline": "15s", "fault": "40s", "recovery": "30s"}}},
}
PROJECT: dict[str, Any] = {
    "gameday": 1,
    "environments": {
        "local": {
            "targets": {
                "shop": {
                    "url": "http://127.0.0.1:18801",
                    "proxy": "shop",
                    "listen": "127.0.0.1:18801",
                    "upstream": "127.0.0.1:18701",
                    "probe": "http:/healthz",
                },
                "payments": {
                    "proxy": "payments",
                    "listen": "127.0.0.1:18805",
                    "upstream": "127.0.0.1:18705",
                },
                "redis": {
                    "proxy": "redis",
                    "listen": "[::1]:18808",
                    "upstream": "[::1]:18708",
                    "probe": "redis",
                },
            }
        },
        "real": {
            "targets": {"shop": {"url": "http://shop.test"}},
            "toxiproxy": {"url": "http://127.0.0.1:8474"},
            "alerts": {
                "prometheus": {"url": "http://127.0.0.1:9090"},
                "alertmanager": {"url": "http://127.0.0.1:9093/"},
            },
            "receiver": {"listen": "127.0.0.1:0", "token": "abc"},
        },
    },
    "services": {"shop": {"tier": 1, "slos": {"availability": "99.9%", "latency": "99% < 500ms"}}},
    "alerts": {
        "CheckoutSlow": {
            "when": "checkout p90 > 500ms over 10s for 5s",
            "labels": {"severity": "page"},
            "runbook": "runbooks/slow.md",
            "receiver": "pager",
        }
    },
    "runbooks": ["runbooks"],
    "runbook_hosts": ["Wiki.example.org", "wiki.example.net:8443"],
}


def changed(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the value at a dotted path replaced; `...` takes it out."""
    made = copy.deepcopy(data)
    *around, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    part: Any = made
    for step in around:
        part = part[step]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return made


def text_of(data: Any) -> str:
    """YAML of plain data (JSON is YAML)."""
    return json.dumps(data, indent=1)


def write_project(folder: Path, data: dict[str, Any] | None = None) -> Path:
    """A project file with its runbook, in *folder*."""
    (folder / "runbooks").mkdir(exist_ok=True)
    (folder / "runbooks" / "slow.md").write_text("# Slow\n", encoding="utf-8")
    path = folder / "gameday.yaml"
    path.write_text(text_of(PROJECT if data is None else data), encoding="utf-8")
    return path


def a_project(folder: Path, data: dict[str, Any] | None = None) -> Project:
    project, _, found = read_project(write_project(folder, data))
    assert project is not None, found
    return project


def a_scenario(data: dict[str, Any] | None = None, profile: str | None = None) -> Scenario:
    reading = read_document(
        load_text(text_of(SCENARIO if data is None else data), "s.yaml"), profile
    )
    assert reading.whole is not None, reading.diagnostics
    return reading.whole


def lints(data: dict[str, Any], project: Project | None = None) -> tuple[Diagnostic, ...]:
    """Everything said about a scenario, in the environment `local` of *project*."""
    reading = read_document(load_text(text_of(data), "s.yaml"))
    assert reading.scenario is not None
    scope = Scope(
        scenario=reading.scenario,
        marks=reading.marks,
        broken=reading.broken,
        project=project,
        environment=project.environments["local"] if project else None,
    )
    return (*reading.diagnostics, *lint(scope))
