"""A project of one scenario whose load is what a test says."""

from __future__ import annotations

from pathlib import Path

SCENARIO = """\
gameday: 1
id: shop
title: A shop
service: shop
owner: team-shop
hypothesis: it holds
load:
  target: shop
  arrivals: 5/s
  timeout: 2s
{load}
phases: {{baseline: 30s, fault: 30s, recovery: 30s}}
faults:
  - id: none
    target: shop
    command: {{inject: {{run: ['true']}}, revert: {{run: ['true']}}, present: {{run: ['true']}}}}
expect: {{baseline: [errors < 50%], fault: [errors < 50%]}}
stop_when: [errors > 90% for 30s]
"""


def project(directory: Path, url: str, load: str) -> None:
    (directory / "gameday.yaml").write_text(
        "gameday: 1\nenvironments:\n  local:\n    commands: ['true', 'false']\n"
        f"    targets:\n      shop: {{url: '{url}'}}\n"
    )
    indented = "".join(f"  {line}\n" for line in load.strip("\n").splitlines())
    (directory / "scenario.yaml").write_text(SCENARIO.format(load=indented))
