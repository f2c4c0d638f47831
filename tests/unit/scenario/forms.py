"""Every form of fault, stop condition, target and policy once, as plain data that is right."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.scenario.samples import PROJECT, SCENARIO

_FAULTS: list[dict[str, Any]] = [
    {
        "id": "grows",
        "target": "payments",
        "toxic": {"type": "latency", "latency": "100ms"},
        "stages": [
            {"after": "10s", "toxic": {"type": "latency", "latency": "300ms"}},
            {
                "when": "errors < 1% for 10s",
                "toxic": {"type": "latency", "latency": "600ms"},
            },
            {"gate": "more", "toxic": {"type": "latency", "latency": "800ms"}},
        ],
    },
    {
        "id": "starved",
        "target": "payments",
        "container": {"type": "cpu", "cpus": 0.5},
        "stages": [{"after": "20s", "container": {"type": "cpu", "cpus": 0.1}}],
    },
    {"id": "lossy", "target": "payments", "container": {"type": "loss", "share": "5%", "port": 80}},
    {"id": "full", "target": "payments", "container": {"type": "disk", "path": "/data"}},
    {
        "id": "late",
        "target": "payments",
        "container": {"type": "netem", "delay": "100ms", "rate": "100KB/s"},
    },
    {"id": "gone", "target": "shop", "process": {"type": "kill", "signal": "TERM"}},
    {"id": "old", "target": "shop", "certificate": {"type": "expired"}},
    {
        "id": "ahead",
        "target": "shop",
        "clock": {"type": "skew", "offset": "+1h"},
        "stages": [{"gate": "further", "clock": {"type": "skew", "offset": "-2d"}}],
    },
    {
        "id": "flag",
        "target": "redis",
        "command": {
            "inject": {
                "run": ["./bin/flag.sh", "on"],
                "timeout": "5s",
                "exit": [0, 2],
                "env": {"TOKEN": {"env": "MY_TOKEN"}, "MODE": "x"},
                "cwd": "bin",
            },
            "revert": {"run": ["./bin/flag.sh", "off"], "exit": 0},
            "present": {"run": ["./bin/flag.sh"], "stdout": "^on", "gone_exit": 3},
            "effect": {"run": ["./bin/flag.sh", "see"]},
        },
    },
    {
        "id": "switch",
        "target": "redis",
        "http": {
            "inject": {
                "post": "http://127.0.0.1:9000/flags/slow",
                "json": {"on": True},
                "headers": {"Authorization": {"env": "TOKEN", "prefix": "Bearer "}, "x-a": "b"},
                "status": [200, 201],
            },
            "revert": {"delete": "http://127.0.0.1:9000/flags/slow", "status": 204},
            "present": {
                "get": "http://127.0.0.1:9000/flags/slow",
                "match": "on == `true`",
                "gone_status": [404],
                "timeout": "2s",
            },
        },
    },
    {
        "id": "bridge",
        "target": "redis",
        "python": {
            "inject": {
                "module": "chaostoxi.proxy.actions",
                "func": "disable",
                "arguments": {"name": "redis"},
                "configuration": {"host": "localhost"},
                "secrets": {"token": {"file": "secrets/token"}},
                "timeout": "3s",
            },
            "revert": {"module": "chaostoxi.proxy.actions", "func": "enable"},
            "present": {"module": "chaostoxi.proxy.probes", "func": "exists", "match": "@"},
        },
    },
]
#: A scenario with as little as there may be beside one fault.
SMALL: dict[str, Any] = {
    **{key: copy.deepcopy(value) for key, value in SCENARIO.items() if key != "profiles"},
    "id": "small",
    "load": {"target": "shop", "arrivals": "100/s", "locustfile": "locustfile.py"},
    "phases": {"baseline": "30s", "fault": "1m", "recovery": "60s"},
    "faults": [{"id": "gone", "target": "redis", "down": True}],
    "expect": {"baseline": ["errors < 1%"], "fault": ["errors < 2%"]},
    "stop_when": ["errors > 50% for 10s"],
}
FORMS: dict[str, Any] = {
    **{key: copy.deepcopy(value) for key, value in SCENARIO.items() if key != "profiles"},
    "id": "forms",
    "faults": _FAULTS,
    "stop_when": [
        {"http": "http://127.0.0.1:18801/healthz", "for": "10s", "every": "1s"},
        "errors > 50% for 10s",
        {"promql": "sum(rate(errors[1m]))", "above": 0.5, "for": "30s"},
        {"alert": "DatabaseDown", "labels": {"severity": "page"}},
    ],
    "call_limit": "8s",
}
FORMS["expect"]["alerts"][0]["fault"] = "grows"
_LOCAL: dict[str, Any] = {
    "kind": "ci",
    "targets": {
        "shop": {
            **PROJECT["environments"]["local"]["targets"]["shop"],
            "process": {"start": ["./bin/shop"], "restart": ["./bin/shop", "again"], "clock": True},
            "certificate": {
                "cert": "certs/shop.pem",
                "key": "certs/shop.key",
                "endpoint": "127.0.0.1:18443",
                "ca": "certs/ca.pem",
                "ca_key": "certs/ca.key",
                "reload": ["./bin/reload"],
                "pidfile": "/run/shop.pid",
            },
        },
        "payments": {
            **PROJECT["environments"]["local"]["targets"]["payments"],
            "address": "127.0.0.1:18705",
            "container": {"label": "app=payments", "pick": "one"},
        },
        "redis": {
            "container": "redis-1",
            "process": {"pidfile": "/run/redis.pid", "clock_file": "run/clock"},
        },
    },
    "docker": {
        "url": "unix:///var/run/docker.sock",
        "helper_image": "gameday-helper:1",
        "allow": ["redis-1"],
    },
    "commands": ["./bin/shop", "./bin/reload", "./bin/flag.sh"],
    "alerts": {
        "prometheus": {"url": "http://127.0.0.1:9090"},
        "pipeline_proof": "watchdog",
        "watchdog": "DeadMansSwitch",
        "http_json": {
            "grafana": {
                "preset": "grafana",
                "url": "http://127.0.0.1:3000",
                "auth": {"bearer": {"env": "GRAFANA_TOKEN"}},
                "error": "10s",
            },
            "ours": {
                "url": "http://127.0.0.1:7000/api",
                "auth": {
                    "basic": {"user": "me", "password": {"file": "password"}},
                    "headers": {"X-Team": {"env": "TEAM_KEY", "prefix": "key "}},
                },
                "options": {"team": "shop"},
                "request": {
                    "post": "/alerts/{{ team }}",
                    "query": {"from": "{{ since_ms }}", "state[]": ["open", "closed"]},
                    "headers": {"X-Api-Version": "2"},
                    "json": {"until": "{{ until_iso }}"},
                },
                "paging": {
                    "kind": "cursor",
                    "read": "next",
                    "param": "page.after",
                    "in_body": True,
                    "size": 50,
                    "first": 1,
                    "more": "more",
                },
                "rows": "alerts[]",
                "map": {"id": "id", "name": "title", "state": "status", "started": "since"},
                "states": {"open": "firing", "closed": "ended"},
                "name_pattern": r"^\[(\w+)\]",
                "rules": "rules[]",
                "rule_map": {"name": "name"},
                "problem": "error",
                "zone": "Europe/Berlin",
                "keeps": "history",
                "delivered": False,
                "every": "5s",
                "lookback": "2d",
                "delay": "10s",
            },
        },
    },
    "receiver": {
        "token": {"env": "RECEIVER_TOKEN"},
        "pagerduty_secret": {"env": "PAGERDUTY_SIGNING_SECRET"},
    },
    "policy": {
        "targets": ["shop", "payments"],
        "faults": ["latency", "container.*", "command"],
        "max_share": "50%",
        "max_duration": "10m",
        "max_faults": 2,
        "hours": {"days": "mon-fri", "from": "09:00", "to": "16:30", "timezone": "Europe/Berlin"},
        "freeze": [{"from": "2026-12-20", "to": "2027-01-02", "why": "holidays"}],
        "budget": {"floor": "20%", "query": "error_budget_left"},
        "approvals": {
            "needed": 1,
            "signers": "allowed_signers",
            "roles": ["owner"],
            "folder": "approvals",
        },
        "go": True,
        "change_id": False,
        "apart": True,
    },
}
PLACES: dict[str, Any] = {
    **copy.deepcopy(PROJECT),
    "environments": {
        "local": _LOCAL,
        "prod": {
            "targets": {"shop": {"url": "http://shop.test"}},
            "policy": {
                "hours": {"days": ["mon", "wed"], "from": "10:00", "to": "12:00"},
                "budget": {"floor": "10%", "file": "budget.txt"},
                "approvals": {"signers": "allowed_signers"},
            },
        },
    },
}
