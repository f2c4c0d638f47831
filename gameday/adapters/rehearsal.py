"""A rule rehearsed: promtool evaluates its very text on made-up series that have the fault in them.

This is the second opinion on `gameday.kpi.foresee`: Prometheus' own code, for one place of the
fault between two scrapes. No server is needed, and none is asked.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gameday.kpi.foresee import Rule, counters_of
from gameday.kpi.outlook import Record
from gameday.kpi.promql import Selector, longest_range_ms
from gameday.kpi.routing import Matcher
from gameday.kpi.shares import LIVENESS, UnpredictableError
from gameday.model.effect import Effect

#: Evaluations that are looked at; more say no more.
MAX_LOOKS = 600
WITHIN_S = 20.0
_GOT = re.compile(
    r"alertname: \S+, time: (?P<time>[0-9hms]+),\s*\n"
    r"\s*exp:\[\s*\],?\s*\n\s*got:\[\s*\n?\s*0:"
)
_PART = re.compile(r"(\d+)(ms|h|m|s)")
_UNIT_MS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
#: Values of labels that are tried, besides those that stand in the matchers.
_VALUES = ("200", "500", "503", "404", "x", "")
_PER_S = 100.0


def rehearse(
    promtool: str,
    row: Mapping[str, Any],
    records: Mapping[str, Record],
    rule: Rule,
    effect: Effect,
    *,
    within_ms: float,
) -> float | None:
    """Ms from the fault to the evaluation that fires, None if none does in time.

    Raises `UnpredictableError` where series cannot be made up, promtool does not say, or more than
    `MAX_LOOKS` evaluations would have to be looked at.
    """
    scrape, evaluation = round(rule.scrape_ms), round(rule.evaluation_ms)
    clean = math.ceil((longest_range_ms(rule.expr) + scrape) / scrape) + 1
    played = math.ceil(within_ms / scrape) + 2
    series = [
        {"series": text, "values": _values(before, after, clean, played)}
        for text, before, after in _series(rule, effect)
    ]
    begin = clean * scrape
    first = math.floor(begin / evaluation) + 1
    looks = math.floor(within_ms / evaluation) + 1
    ticks = range(first, first + min(MAX_LOOKS, looks))
    tests = [
        {"eval_time": f"{tick * evaluation}ms", "alertname": row["name"], "exp_alerts": []}
        for tick in ticks
    ]
    recorded = [{"record": name, "expr": one.expr} for name, one in records.items()]
    alert = {"alert": row["name"], "expr": row["query"], "for": f"{round(rule.for_ms)}ms"}
    rules = {"groups": [{"name": "rehearsal", "rules": [*recorded, alert]}]}
    play = {"interval": f"{scrape}ms", "input_series": series, "alert_rule_test": tests}
    said = _run(promtool, rules, {"evaluation_interval": f"{evaluation}ms", "tests": [play]})
    fired = [_ms(found["time"]) for found in _GOT.finditer(said)]
    if not fired and looks > MAX_LOOKS:
        raise UnpredictableError(f"it does not fire within {MAX_LOOKS} evaluations")
    return min(fired) - begin if fired else None


def _run(promtool: str, rules: Mapping[str, Any], tests: Mapping[str, Any]) -> str:
    with tempfile.TemporaryDirectory(prefix="gameday-rehearsal-") as folder:
        Path(folder, "rules.json").write_text(json.dumps(rules), encoding="utf-8")
        made = {"rule_files": ["rules.json"], **tests}
        Path(folder, "tests.json").write_text(json.dumps(made), encoding="utf-8")
        try:
            done = subprocess.run(  # noqa: S603 - a program of the PATH, no shell
                [promtool, "test", "rules", "tests.json"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=WITHIN_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnpredictableError(f"promtool did not answer ({type(error).__name__})") from None
    said = done.stdout + done.stderr
    if done.returncode != 0 and _GOT.search(said) is None:
        raise UnpredictableError(f"promtool could not rehearse it: {said.strip()[-200:]}")
    return said


def _series(rule: Rule, effect: Effect) -> Iterator[tuple[str, float, float]]:
    """Series with what they grow by in a scrape, before and after the fault."""
    counters = counters_of(rule, effect)
    growth = counters.growth
    if any(s.metric in LIVENESS or s.shifted for s in growth):
        raise UnpredictableError("only counters are rehearsed")
    if not growth or any(s.metric.endswith("_bucket") and s.value_of("le") is None for s in growth):
        raise UnpredictableError("only ratios and rates of counters are rehearsed")
    scale = (1.0 if counters.absolute else _PER_S) * rule.scrape_ms / 1000
    made: dict[str, tuple[float, float]] = {}
    for whole in [s for s in growth if not _is_part(s, growth)]:
        parts = {p.matchers: p for p in growth if _is_part_of(p, whole)}.values()
        before, after = growth[whole].before, growth[whole].after
        for part in parts:
            made[_named(part, part.matchers, ())] = (growth[part].before, growth[part].after)
            before, after = before - growth[part].before, after - growth[part].after
        made[_named(whole, whole.matchers, tuple(parts))] = (before, after)
    for text, (before, after) in made.items():
        yield text, before * scale, after * scale


def _is_part_of(part: Selector, whole: Selector) -> bool:
    return part.metric == whole.metric and set(whole.matchers) < set(part.matchers)


def _is_part(selector: Selector, growth: Mapping[Selector, Any]) -> bool:
    return any(_is_part_of(selector, other) for other in growth)


def _named(
    selector: Selector, matchers: tuple[tuple[str, str, str], ...], without: tuple[Selector, ...]
) -> str:
    """A series that *selector* takes and none of *without*."""
    wanted = [Matcher(name=n, op=o, value=v) for n, o, v in matchers]
    refused = [
        [Matcher(name=n, op=o, value=v) for n, o, v in part.matchers if (n, o, v) not in matchers]
        for part in without
    ]
    labels: dict[str, str] = {}
    names = dict.fromkeys([m.name for m in wanted] + [m.name for part in refused for m in part])
    for name in names:
        here = [m for m in wanted if m.name == name]
        never = [m for part in refused for m in part if m.name == name]
        tried = [*_written(here), *_VALUES]
        value = next(
            (
                v
                for v in tried
                if all(m.matches({name: v}) for m in here)
                and not any(m.matches({name: v}) for m in never)
            ),
            None,
        )
        if value is None:
            raise UnpredictableError(f"no value of `{name}` was found for a made-up series")
        if value:
            labels[name] = value
    inner = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
    return f"{selector.metric}{{{inner}}}"


def _written(matchers: list[Matcher]) -> Iterator[str]:
    """Values that the matchers themselves suggest."""
    for matcher in matchers:
        if matcher.op == "=":
            yield matcher.value
        if matcher.op == "=~":
            for one in matcher.value.split("|"):
                yield one.strip("()^$")
                yield one.strip("()^$").replace(".", "0").replace("\\d", "0")


def _values(before: float, after: float, clean: int, played: int) -> str:
    """Promtool's notation: so many samples before the fault, and so many with it."""
    at = before * clean
    return f"0+{before:g}x{clean} {at + after:.6f}+{after:.6f}x{played}"


def _ms(text: str) -> int:
    return sum(int(n) * _UNIT_MS[unit] for n, unit in _PART.findall(text))
