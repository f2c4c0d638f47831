"""The routing tree as gameday follows it, against `amtool`, over generated trees."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gameday.kpi.routing import routing_of

pytestmark = pytest.mark.real

LABELS = {"alertname": ("A", "B"), "severity": ("page", "ticket", ""), "team": ("a", "ab", "")}
RECEIVERS = ("root", "r1", "r2", "r3")


def matcher(draw: random.Random) -> str:
    name = draw.choice([*LABELS, "absent"])
    op = draw.choice(["=", "!=", "=~", "!~"])
    value = draw.choice(
        ["A", "page", "a", "ab", ""] if len(op) == 1 else ["a", "a.*", "A|page", ".+", ".*"]
    )
    return f'{name}{op}"{value}"'


def node(draw: random.Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"matchers": [matcher(draw) for _ in range(draw.randint(0, 2))]}
    if draw.random() < 0.8:
        made["receiver"] = draw.choice(RECEIVERS)
    if draw.random() < 0.4:
        made["continue"] = True
    if depth and draw.random() < 0.7:
        made["routes"] = [node(draw, depth - 1) for _ in range(draw.randint(1, 3))]
    return made


@pytest.mark.parametrize("seed", range(8))
def test_the_same_receivers_as_amtool(
    seed: int, tmp_path: Path, real_server: Callable[..., str]
) -> None:
    amtool = real_server("amtool")
    draw = random.Random(seed)
    tree = {"receiver": "root", "routes": [node(draw, 3) for _ in range(draw.randint(1, 4))]}
    config = {"route": tree, "receivers": [{"name": name} for name in RECEIVERS]}
    file = tmp_path / "alertmanager.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    ours = routing_of(config)
    for _ in range(12):
        labels = {name: value for name, of in LABELS.items() if (value := draw.choice(of))}
        asked = [f"{name}={value}" for name, value in labels.items()]
        said = subprocess.run(
            [amtool, "config", "routes", "test", f"--config.file={file}", *asked],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout.strip()
        theirs = tuple(dict.fromkeys(said.split(",")))
        assert ours.reached(labels) == theirs, (labels, tree)
