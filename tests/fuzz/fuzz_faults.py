"""Faults of every family that are right, from the tables of toxics and actions themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fuzz_dice import Dice
from fuzz_values import bandwidth, json_value, millis, seconds, share, size, words

from gameday.model.faults import FAMILIES, GENERIC, OptionSpec
from gameday.model.toxics import KINDS, STREAMS, TOXICS, AttributeSpec
from gameday.scenario.actions import NEED_AN_OPTION

#: What of `fuzz_projects.local` each family can be put into.
TARGETS = {
    "toxic": ("shop", "payments", "redis"),
    "down": ("redis", "payments", "shop"),
    "container": ("payments", "redis"),
    "process": ("redis", "payments", "shop"),
    "certificate": ("shop", "edge"),
    "clock": ("shop", "payments"),
    "command": ("redis", "shop"),
    "http": ("redis", "shop"),
    "python": ("redis", "shop"),
}
_TEXTS = {
    "method": ("POST", "GET, PUT"),
    "path": ("/pay*", "*", "/a/b"),
    "body": ("sorry", "{}", "größe"),
    "remove": ("Cache-Control", "etag"),
    "network": ("backend", "net 1"),
    "peer": ("10.0.0.5", "10.1.0.0/16"),
}
_SECRETS = ({"env": "TOKEN"}, {"file": "secrets/token"}, {"env": "T_2", "prefix": "Bearer "})


def fault(dice: Dice, number: int) -> dict[str, Any]:
    """One fault, with stages where it can have them."""
    family = dice.pick(("toxic", "down", *FAMILIES))
    made: dict[str, Any] = {"id": f"f{number}", "target": dice.pick(TARGETS[family])}
    if family == "toxic":
        kind = dice.pick(tuple(TOXICS))
        made[family] = toxic(dice, kind)
        made |= _stages(dice, family, lambda: toxic(dice, kind))
    elif family == "down":
        made[family] = True
    elif family in GENERIC:
        made[family] = _CALLS[family](dice)
    else:
        kind = dice.pick(tuple(FAMILIES[family]))
        made[family] = action(dice, family, kind)
        if FAMILIES[family][kind].staged:
            made |= _stages(dice, family, lambda: action(dice, family, kind))
    return made | dice.maybe(
        30, start=lambda: seconds(dice, 0, 10), length=lambda: seconds(dice, 20, 40)
    )


def toxic(dice: Dice, kind: str) -> dict[str, Any]:
    """A toxic of this kind."""
    about, specs = KINDS[kind], TOXICS[kind]
    made: dict[str, Any] = {"type": kind}
    if about.streams:
        made |= dice.maybe(30, stream=lambda: dice.pick(STREAMS))
    if about.toxicity:
        made |= dice.maybe(30, toxicity=lambda: share(dice, 1))
    for name, spec in specs.items():
        if spec.required or dice.chance(30):
            made[name] = _attribute(dice, name, spec)
    if kind == "slicer":
        made |= {"average_size": "10KB", "size_variation": size(dice, 0, 9999)}
    if kind == "http_corrupt":
        made.pop("count", None)
        made.pop("portion", None)
        made |= dice.pick([{"count": 3}, {"portion": "1%"}])
    if kind == "http_status":
        made["status"] = dice.pick([503, 429, 200, 599])
    return made


def _attribute(dice: Dice, name: str, spec: AttributeSpec) -> Any:
    low = int(spec.minimum)
    match spec.unit:
        case "ms":
            return millis(dice, low, 5000)
        case "us":
            return millis(dice, low, 50)
        case "bytes":
            return size(dice, low, 10**6)
        case "KB/s":
            return bandwidth(dice)
        case "share":
            return share(dice, low, int(spec.maximum * 100))
        case "text":
            return dice.pick(_TEXTS[name])
        case _:
            return dice.number(low, int(spec.maximum))


def action(dice: Dice, family: str, kind: str) -> dict[str, Any]:
    """An action of one of the plain families."""
    options = FAMILIES[family][kind].options
    made: dict[str, Any] = {"type": kind}
    for name, spec in options.items():
        if spec.required or dice.chance(30):
            made[name] = _option(dice, name, spec)
    if len(made) == 1 and (family, kind) in NEED_AN_OPTION:
        name = dice.pick(tuple(options))
        made[name] = _option(dice, name, options[name])
    return made


def _option(dice: Dice, name: str, spec: OptionSpec) -> Any:
    low = int(spec.minimum)
    readers: Mapping[str, Callable[[], Any]] = {
        "ms": lambda: millis(dice, low, int(min(spec.maximum, 5000))),
        "signed ms": lambda: dice.pick("+-") + dice.pick(["1h", "5m", "250ms", "3650d", "1h30m"]),
        "bytes": lambda: size(dice, low, low + 2**26),
        "KB/s": lambda: bandwidth(dice),
        "share": lambda: share(dice, 0, int(spec.maximum * 100)),
        "count": lambda: dice.number(low, int(min(spec.maximum, 65_535))),
        "number": lambda: dice.pick([0.5, 1, 0.01, 1024]),
        "choice": lambda: dice.pick(spec.choices),
        "text": lambda: "/data" if name == "path" else dice.pick(_TEXTS[name]),
    }
    return readers[spec.unit]()


def _stages(dice: Dice, family: str, strength: Callable[[], Any]) -> dict[str, Any]:
    if not dice.chance(40):
        return {}
    gates: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: {"after": seconds(dice, 1, 9)},
        lambda: {"when": "errors < 1% for 10s"},
        lambda: {"gate": dice.pick(["more", "go-on"])},
    )
    stages = [{**dice.pick(gates)(), family: strength()} for _ in range(dice.number(0, 3))]
    return {"stages": stages}


def _timeout(dice: Dice) -> str:
    return seconds(dice, 1, 60)


def _command(dice: Dice) -> dict[str, Any]:
    def call(*words_: str) -> dict[str, Any]:
        return {"run": ["./bin/flag.sh", *words_]} | dice.maybe(
            25,
            timeout=lambda: _timeout(dice),
            exit=lambda: dice.pick([0, [0, 2], [255]]),
            stdout=lambda: dice.pick(["^on", "x{1,3}|[yz]"]),
            env=lambda: {"MODE": words(dice), "TOKEN": dice.pick(_SECRETS)},
            cwd=lambda: dice.pick(["bin", ".", "bin/../bin"]),
        )

    made = {"inject": call("on"), "revert": call("off"), "present": call()}
    made["present"] |= dice.pick([{}, {"gone_exit": 3}, {"gone_exit": [4, 5]}])
    return made | dice.maybe(25, effect=lambda: call("see", ""))


def _http(dice: Dice) -> dict[str, Any]:
    def call(method: str) -> dict[str, Any]:
        made: dict[str, Any] = {method: dice.pick(["http://127.0.0.1:9000/flag", "https://h/?a=b"])}
        made |= dice.pick([{}, {"json": json_value(dice)}, {"body": " as it is "}])
        return made | dice.maybe(
            25,
            headers=lambda: {"Authorization": dice.pick(_SECRETS), "x-a": words(dice)},
            timeout=lambda: _timeout(dice),
            status=lambda: dice.pick([200, [200, 201]]),
            match=lambda: dice.pick(["on == `true`", "length(items) > `0`", "@"]),
        )

    made = {"inject": call("post"), "revert": call("delete"), "present": call("get")}
    made["present"] |= dice.maybe(25, gone_status=lambda: dice.pick([404, [404, 410]]))
    return made | dice.maybe(25, effect=lambda: call(dice.pick(["put", "patch"])))


def _python(dice: Dice) -> dict[str, Any]:
    def call(func: str) -> dict[str, Any]:
        return {"module": "chaostoxi.proxy", "func": func} | dice.maybe(
            25,
            arguments=lambda: {"name": json_value(dice)},
            configuration=lambda: {"host": "localhost", "deep": json_value(dice)},
            secrets=lambda: {"token": dice.pick(_SECRETS)},
            timeout=lambda: _timeout(dice),
            match=lambda: "@",
        )

    made = {"inject": call("disable"), "revert": call("enable"), "present": call("exists")}
    return made | dice.maybe(25, effect=lambda: call("look"))


_CALLS: Mapping[str, Callable[[Dice], dict[str, Any]]] = {
    "command": _command,
    "http": _http,
    "python": _python,
}
