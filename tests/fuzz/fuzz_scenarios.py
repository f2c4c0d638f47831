"""Whole scenarios that are right, as plain data; they fit into every project of `fuzz_projects`."""

from __future__ import annotations

from typing import Any

from fuzz_dice import Dice
from fuzz_faults import fault
from fuzz_values import NAMES, json_value, millis, seconds, words

_JOURNEYS = ("browse", "checkout", "größe", "on")
_METHODS = ("get", "post", "put", "patch", "delete", "head")
_PATHS = ("/", "/products", "/a?b=c#d", "/größe", "/1:30")
_GOOD = ("errors < 2%", "errors<=2.5%", "p95 < 300ms", "p50 <= 0.2s", "goodput > 97%", "p75 < 1s")
_STOPS = (
    "errors > 50% for 10s", "errors >= 60% over 10s for 20s", "goodput < 30% for 15s",
    "p95 > 4s for 10s", "  errors   >   75%  ",
)  # fmt: skip


def scenario(dice: Dice) -> dict[str, Any]:
    """A scenario with faults, expectations and stop conditions of any form."""
    load, names = _load(dice)
    faults = [fault(dice, number) for number in range(dice.number(1, 3))]
    stops = [*dice.some(_STOPS, 1, 3), *(_signal(dice) for _ in range(dice.number(0, 2)))]
    made = {
        "gameday": 1,
        "id": dice.pick(NAMES),
        "title": words(dice),
        "service": "shop",
        "owner": words(dice),
        "hypothesis": words(dice),
        "load": load,
        "phases": _phases(dice),
        "faults": faults,
        "expect": _expect(dice, names, [one["id"] for one in faults]),
        "stop_when": stops,
    }
    return made | dice.maybe(
        25,
        tags=lambda: [words(dice)],
        call_limit=lambda: seconds(dice, 1, 60),
        revert_for=lambda: seconds(dice, 1, 300),
        profiles=lambda: {name: _profile(dice) for name in dice.some(NAMES, 1, 2)},
    )


def _load(dice: Dice) -> tuple[dict[str, Any], tuple[str, ...]]:
    made: dict[str, Any] = {"target": "shop"}
    per_s = dice.number(200, 900)
    forms = (f"{per_s}/s", f"{per_s * 60} / min", f"{per_s}.5/second", f"{per_s * 3600}/hour")
    if dice.chance(30):
        made["users"] = dice.number(200, 900)
        made |= dice.maybe(50, think=lambda: millis(dice, 0, 900))
    else:
        made["arrivals"] = dice.pick(forms) if dice.chance(60) else _shape(dice, per_s)
        made |= dice.maybe(30, spread=lambda: dice.pick(["even", "poisson"]))
    made |= dice.maybe(30, timeout=lambda: seconds(dice, 5, 30))
    made |= dice.maybe(20, processes=lambda: dice.pick(["auto", dice.number(1, 64)]))
    if dice.chance(20):
        made["locustfile"] = "locustfile.py"
        made |= dice.maybe(50, classes=lambda: ["Shopper", words(dice)])
        return made, ()
    names = tuple(dice.some(_JOURNEYS, 1, 2))
    made["journeys"] = {name: _journey(dice) for name in names}
    return made, names


def _shape(dice: Dice, per_s: int) -> Any:
    """A rate that changes and never falls below *per_s*; presets that fit into every phase."""
    if dice.chance(40):
        peak = f"{per_s * 10}/s"
        stress = {"preset": "stress", "from": f"{per_s} /s", "steps": dice.number(2, 9)}
        spike = {"preset": "spike", "from": f"{per_s}/s", "length": "9s"}
        return {**dice.pick([{"preset": "soak"}, {"preset": "smoke"}, stress, spike]), "peak": peak}
    lines = (f"ramp to {per_s}/s over 1500ms", f"spike {per_s * 2}/s for 2s", f"{per_s} / s for 1m")
    return [
        f"{per_s}/s for {seconds(dice, 1, 60).strip()}",
        *dice.some(lines, 0, 3),
        *([f"{per_s}/s until end"] if dice.chance(50) else []),
    ]


def _journey(dice: Dice) -> dict[str, Any]:
    steps = [_step(dice) for _ in range(dice.number(1, 2))]
    return {"steps": steps} | dice.maybe(40, weight=lambda: dice.number(1, 3))


def _step(dice: Dice) -> dict[str, Any]:
    made: dict[str, Any] = {dice.pick(_METHODS): dice.pick(_PATHS)}
    made |= dice.pick([{}, {}, {"json": json_value(dice)}, {"body": "a=b"}])
    return made | dice.maybe(
        20,
        name=lambda: "step " + words(dice),
        headers=lambda: {"x-a": words(dice), "Cookie": {"env": "COOKIE"}},
        expect=lambda: dice.pick([{}, {"status": 201}]),
    )


def _phases(dice: Dice) -> dict[str, Any]:
    return {
        "baseline": seconds(dice, 20, 120),
        "fault": seconds(dice, 60, 300),
        "recovery": seconds(dice, 30, 120),
        **dice.maybe(30, warmup=lambda: seconds(dice, 0, 9)),
    }


def _conditions(dice: Dice, names: tuple[str, ...], least: int) -> list[str]:
    subjects = ("", *(f"{name} " for name in names))
    return [dice.pick(subjects) + one for one in dice.some(_GOOD, least, 3)]


def _expect(dice: Dice, names: tuple[str, ...], faults: list[str]) -> dict[str, Any]:
    def alert() -> dict[str, Any]:
        made = {"alert": "CheckoutSlow", "fires_within": seconds(dice, 1, 30)}
        return made | dice.maybe(
            40,
            labels=lambda: dice.pick([{}, {"severity": "page"}]),
            resolves_within=lambda: seconds(dice, 1, 60),
            receiver=lambda: "pager",
            runbook=lambda: dice.pick(["runbooks/slow.md", "https://wiki.example.org/slow"]),
            fault=lambda: dice.pick(faults),
            effect=lambda: dice.pick(["errors 50%", "latency 800ms on 30%", "down"]),
        )

    recovery: list[str] = _conditions(dice, names, 0)
    made: dict[str, Any] = {
        "baseline": _conditions(dice, names, 1),
        "fault": _conditions(dice, names, 1),
    }
    return made | dice.maybe(
        40,
        recovery=lambda: [*recovery, "steady within " + seconds(dice, 5, 30).strip()],
        alerts=lambda: [alert()],
        quiet=lambda: [{"severity": "page", **dice.pick([{}, {"team": words(dice)}])}],
        runbooks=lambda: [{"path": "runbooks/slow.md"}],
    )


def _signal(dice: Dice) -> dict[str, Any]:
    kind = dice.pick(["http", "alert", "promql"])
    often = dice.maybe(
        40, **{"for": lambda: seconds(dice, 0, 60), "every": lambda: seconds(dice, 1, 60)}
    )
    match kind:
        case "http":
            return {"http": "http://127.0.0.1:18801/healthz", **often}
        case "alert":
            return {"alert": "DatabaseDown"} | dice.maybe(40, labels=lambda: {"severity": "page"})
        case _:
            limit = dice.pick([0.5, -1, 10**9, 1.5e-7])
            return {"promql": "sum(rate(x[1m]))", dice.pick(["above", "below"]): limit, **often}


def _profile(dice: Dice) -> dict[str, Any]:
    return dice.maybe(
        50,
        phases=lambda: dice.pick([{}, {"fault": "1m"}, {"warmup": None, "baseline": "40s"}]),
        title=lambda: words(dice),
        tags=lambda: dice.pick([[], None, ["smoke"]]),
        revert_for=lambda: seconds(dice, 1, 300),
    )
