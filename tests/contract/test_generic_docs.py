"""The faults on the pages of generic faults: read from the page, put in, seen, taken out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from generic_support import FAKE_KUBECTL, SCRIPT, http_kit, program
from toxiproxy_support import Lab

from gameday.adapters.generic.fault import GenericFault
from gameday.adapters.generic.undo import UNDOER
from gameday.model.diagnostics import has_errors
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec
from gameday.scenario.api import check
from gameday.scenario.render import render

PAGES = Path(__file__).parents[2] / "docs" / "faults"
COMMANDS = ("./bin/flag.sh", "kubectl", "python:chaostoxi")
PROJECT = {
    "gameday": 1,
    "environments": {
        "local": {
            "targets": {
                name: {"url": f"http://127.0.0.1:{port}", "address": f"127.0.0.1:{port}"}
                for name, port in (("shop", 18801), ("payments", 18802))
            },
            "commands": list(COMMANDS),
        }
    },
}
SCENARIO = {
    "gameday": 1,
    "id": "from-a-page",
    "title": "A fault of a page",
    "service": "shop",
    "owner": "team-checkout",
    "hypothesis": "It is as the page says.",
    "load": {
        "target": "shop",
        "arrivals": "100/s",
        "journeys": {"browse": {"steps": [{"get": "/products"}]}},
    },
    "phases": {"baseline": "30s", "fault": "60s", "recovery": "30s"},
    "expect": {"baseline": ["errors < 5%"], "fault": ["errors < 10%"]},
    "stop_when": ["errors > 50% for 10s"],
}


def faults_on(
    page: str, directory: Path, *, replace: tuple[str, str] = ("", "")
) -> list[FaultSpec]:
    """What a run makes of the first block of the page."""
    text = (PAGES / f"{page}.md").read_text()
    block = re.search(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block
    wanted = yaml.safe_load(block[1].replace(*replace) if replace[0] else block[1])
    (directory / "gameday.yaml").write_text(yaml.safe_dump(PROJECT))
    scenario = directory / "scenario.yaml"
    scenario.write_text(yaml.safe_dump({**SCENARIO, **wanted}))
    found = check([scenario])
    assert not has_errors(found.diagnostics), render(found.diagnostics)
    return list(found.scenarios[0].faults)


def goes_in_and_out(directory: Path, spec: FaultSpec, there: Callable[[], bool]) -> None:
    target = Target(name=spec.target)
    fault = GenericFault(directory, "run-1", target, spec, commands=COMMANDS)
    undo = fault.prepare()
    assert not there()
    fault.inject(undo)
    assert there()
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not there()
    assert not UNDOER.present(undo)


def test_the_page_of_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAG_TOKEN", "t0ken")
    monkeypatch.setenv("KUBECONFIG", "some/where")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:{os.environ['PATH']}")
    program(tmp_path / "tools" / "kubectl", FAKE_KUBECTL)
    program(tmp_path / "bin" / "flag.sh", SCRIPT)
    now = tmp_path / "cluster" / "now"
    now.parent.mkdir()
    now.write_text("shop:1.0\n")
    flag, deploy = faults_on("command", tmp_path)
    goes_in_and_out(tmp_path, flag, (tmp_path / "switch").exists)
    goes_in_and_out(tmp_path, deploy, lambda: now.read_text() == "shop:bad\n")


def test_the_page_of_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAG_TOKEN", "t0ken")
    with http_kit(tmp_path) as kit:
        port = ("127.0.0.1:9000", f"127.0.0.1:{kit.extra['port']}")
        (switch,) = faults_on("http", tmp_path, replace=port)
        goes_in_and_out(tmp_path, switch, kit.switch.exists)
    assert "token Bearer t0ken of" in kit.log


def test_the_page_of_python(lab: Lab, tmp_path: Path) -> None:
    lab.create()
    (down,) = faults_on("python", tmp_path, replace=("http://127.0.0.1:8474", lab.url))

    def is_down() -> bool:
        found = lab.payments()
        assert found is not None
        return not found.enabled

    goes_in_and_out(tmp_path, down, is_down)


def test_the_allow_list_of_the_page_is_one(tmp_path: Path) -> None:
    text = (PAGES / "generic.md").read_text()
    block = re.search(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block
    wanted = yaml.safe_load(block[1])["environments"]["staging"]["commands"]
    assert sorted(wanted) == sorted(COMMANDS)
