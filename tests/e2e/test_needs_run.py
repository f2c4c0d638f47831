"""A set of which one scenario needs what is not there, by `gameday run` and by pytest."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from lab_support import Lab, ToxiproxyServer, run_gameday
from set_support import write_set

pytest_plugins = ["pytester"]


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two scenarios; `a` needs a Docker engine, and none is there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{pytester.path}/none.sock")
    nowhere = Lab(
        directory=pytester.path, server=ToxiproxyServer("embedded"), front=1, back=2, via=3
    )
    folder = write_set(nowhere, {"a": {}, "b": {}})
    path = folder / "a.yaml"
    data = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**data, "needs": ["docker"]}), "utf-8")
    return folder


def test_alone_it_shows_nothing_and_says_why(folder: Path) -> None:
    done = run_gameday("run", "scenarios/a.yaml", cwd=folder.parent)

    assert done.returncode == 3, done.stderr
    assert "SKIPPED" in done.stdout
    assert "it needs Docker: no Docker engine answers at unix://" in " ".join(done.stdout.split())
    (where,) = (folder.parent / "reports").glob("set-*")
    case = ET.parse(where / "junit.xml").getroot().find("testsuite/testcase/skipped")
    assert case is not None
    assert case.attrib["message"].startswith("it needs Docker")
    (row,) = json.loads((where / "set.json").read_text("utf-8"))["scenarios"]
    assert (row["skipped"], row["exit_code"], row["tries"]) == (True, None, 0)
    assert row["reason"].startswith("it needs Docker")
    assert [p.name for p in (folder.parent / "reports").iterdir()] == [where.name], (
        "nothing was run"
    )


def test_in_pytest_each_item_is_skipped(pytester: pytest.Pytester, folder: Path) -> None:
    result = pytester.runpytest("-p", "no:locust", "-rs", str(folder / "a.yaml"))

    found = result.parseoutcomes()
    assert set(found) == {"skipped"}
    assert found["skipped"] == 5
    result.stdout.fnmatch_lines(["*it needs Docker: no Docker engine*"])


def test_a_mistake_in_it_is_told_all_the_same(folder: Path) -> None:
    path = folder / "a.yaml"
    path.write_text(path.read_text("utf-8").replace("target: back", "target: bcak"), "utf-8")

    done = run_gameday("run", "scenarios/a.yaml", cwd=folder.parent)

    assert done.returncode == 2
    assert "target/unknown" in done.stderr + done.stdout
