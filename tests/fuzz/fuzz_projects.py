"""Project files that are right, as plain data; each has an environment for all of the scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fuzz_dice import Dice
from fuzz_values import NAMES, seconds, share, words

from gameday.model.project import ENVIRONMENT_KINDS
from gameday.scenario.policies import fault_kinds

_SECRETS = ({"env": "TOKEN"}, {"file": "secrets/token"})


def project(dice: Dice) -> dict[str, Any]:
    """A project with the environment `local`, and others beside it."""
    others = dice.some(("staging", "production", "ci", *NAMES), 0, 2)
    made: dict[str, Any] = {
        "gameday": 1,
        "environments": {"local": local(dice), **{name: _other(dice, name) for name in others}},
        "alerts": {
            "CheckoutSlow": {
                "when": dice.pick(["p90 > 500ms over 10s for 5s", "errors > 5%"]),
                "labels": {"severity": "page", **dice.pick([{}, {"team": words(dice)}])},
                "runbook": dice.pick(["runbooks/slow.md", "https://WIKI.example.org/x"]),
                "receiver": "pager",
            },
            "DatabaseDown": {"when": "goodput < 50% for 30s", "labels": {"severity": "page"}},
        },
        "runbook_hosts": dice.pick([["wiki.example.org"], ["Wiki.Example.org", "[::1]:8443"]]),
    }
    return made | dice.maybe(
        40,
        services=lambda: {"shop": _service(dice), **{n: {} for n in dice.some(NAMES, 0, 2)}},
        runbooks=lambda: dice.pick([["runbooks"], [], ["runbooks", "nowhere"]]),
    )


def write_around(folder: Path) -> None:
    """The files that the generated files speak of."""
    (folder / "runbooks").mkdir(parents=True)
    (folder / "runbooks" / "slow.md").write_text("# Slow\n", encoding="utf-8")
    (folder / "locustfile.py").write_text("", encoding="utf-8")


def local(dice: Dice) -> dict[str, Any]:
    """Targets for every family of faults."""
    made: dict[str, Any] = {
        "targets": _targets(dice),
        "commands": ["./bin/flag.sh", "./bin/shop", "./bin/reload"],
        "docker": {
            "helper_image": dice.pick(["gameday-helper:1", "r.example.org:5000/h@sha256:0a"]),
            **dice.maybe(
                30,
                url=lambda: dice.pick(["unix:///run/docker.sock", "tcp://127.0.0.1:2375"]),
                allow=lambda: ["redis-1"],
            ),
        },
        "alerts": {
            "prometheus": {"url": "http://127.0.0.1:9090"},
            **dice.maybe(
                40,
                alertmanager=lambda: {"url": "http://[::1]:9093/"},
                sources=lambda: ["prometheus"],
            ),
        },
    }
    return made | dice.maybe(
        30,
        kind=lambda: dice.pick(["local", "ci", "staging"]),
        toxiproxy=lambda: {"url": "http://127.0.0.1:8474"},
        receiver=lambda: {"listen": "127.0.0.1:0", "token": dice.pick(["abc", *_SECRETS])},
        policy=lambda: policy(dice, ("shop", "payments"), production=False),
    )


def _proxy(name: str, port: int) -> dict[str, Any]:
    return {"proxy": name, "listen": f"127.0.0.1:{port}", "upstream": f"[::1]:{port - 100}"}


def _targets(dice: Dice) -> dict[str, Any]:
    def certificate(name: str) -> dict[str, Any]:
        made = {part: f"certs/{name}-{part}.pem" for part in ("cert", "key", "ca", "ca_key")}
        made["endpoint"] = "127.0.0.1:18443"
        return made | dice.maybe(
            40, reload=lambda: ["./bin/reload", words(dice)], pidfile=lambda: f"/run/{name}.pid"
        )

    probes = ("tcp", "http:/healthz", "redis", "postgres")
    targets: dict[str, Any] = {
        "shop": {
            "url": dice.pick(["http://127.0.0.1:18801", "http://shop.test/a/", "https://[::1]"]),
            **_proxy("shop", 18801),
            "process": {"start": ["./bin/shop", "--on"], "clock": True},
            "certificate": certificate("shop"),
        },
        "payments": {
            **_proxy("payments", 18805),
            "container": {"label": "app=pay", **dice.maybe(50, pick=lambda: "all")},
            "process": {
                "pidfile": "/run/pay.pid",
                "restart": ["./bin/shop", "again"],
                "clock_file": "run/clock",
            },
        },
        "redis": {
            **_proxy("redis", 18808),
            "container": dice.pick(["redis-1", {"name": "redis-1"}]),
            "process": {"pidfile": "run/redis.pid", "restart": ["./bin/shop", ""]},
        },
        "edge": {"address": "127.0.0.1:443", "certificate": certificate("edge")},
    }
    for target in targets.values():
        target.update(dice.maybe(25, probe=lambda: dice.pick(probes)))
    return targets


def _other(dice: Dice, name: str) -> dict[str, Any]:
    kind = dice.pick(sorted(ENVIRONMENT_KINDS))
    production = kind == "production"
    targets = {one: {"url": "http://shop.test"} for one in dice.some(NAMES, 0, 2)}
    made: dict[str, Any] = {"kind": kind, "targets": targets}
    return made | dice.maybe(50, policy=lambda: policy(dice, tuple(targets), production=production))


def policy(dice: Dice, targets: tuple[str, ...], *, production: bool) -> dict[str, Any]:
    """A policy with any of its keys."""
    kinds = (*fault_kinds(), "container.*", "clock.*")
    never = (lambda: True) if production else (lambda: dice.chance(50))
    approvals = {"signers": "allowed_signers", "needed": dice.number(1, 20)}
    return dice.maybe(
        35,
        targets=lambda: dice.some(targets, 0, 2),
        faults=lambda: dice.some(kinds, 0, 4),
        max_share=lambda: share(dice),
        max_duration=lambda: seconds(dice, 1, 600),
        max_faults=lambda: dice.number(1, 1000),
        hours=lambda: _hours(dice),
        freeze=lambda: [{"from": "2026-12-20", "to": "2027-01-02", "why": words(dice)}],
        budget=lambda: {"floor": share(dice), "file": "budget.txt"},
        approvals=lambda: {**approvals, **dice.maybe(40, roles=lambda: ["owner", words(dice)])},
        go=never,
        change_id=never,
        apart=never,
    )


def _hours(dice: Dice) -> dict[str, Any]:
    days = dice.pick(["mon-fri", "sat", "fri - mon", ["mon", "wed"]])
    zone = dice.maybe(50, timezone=lambda: dice.pick(["UTC", "Europe/Berlin"]))
    return {"days": days, "from": "09:00", "to": dice.pick(["16:30", "23:59"]), **zone}


def _service(dice: Dice) -> dict[str, Any]:
    slos = {"availability": "99.9%", "fast": "99% < 500ms"}
    return dice.maybe(50, tier=lambda: dice.number(0, 9), slos=lambda: slos)
