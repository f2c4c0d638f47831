from __future__ import annotations

from pathlib import Path

import pytest

from gameday.adapters.locust.child import environment
from gameday.adapters.locust.driver import LocustLoad, resolved
from gameday.model.scenario import LoadSpec


def test_the_child_gets_no_options_through_the_environment() -> None:
    base = {"PATH": "/bin", "LOCUST_USERS": "9", "LOCUST_HOST": "x", "GAMEDAY_LOAD_TOKEN": "t"}
    assert environment(base) == {"PATH": "/bin"}


def test_a_locustfile_is_found_from_where_the_runner_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = LoadSpec(target="t", users=1, locustfile="load/shop.py")
    assert resolved(spec).locustfile == str(tmp_path / "load" / "shop.py")
    assert resolved(LoadSpec(target="t", users=1)).locustfile is None


def test_a_load_that_never_began_can_be_stopped_and_told_of_edges(tmp_path: Path) -> None:
    load = LocustLoad(LoadSpec(target="t", users=1, timeout_ms=2_000), "http://x", tmp_path)
    load.edge(opening=True)
    assert load.stop() == {"asked": 0, "started": 0, "unserved": 0, "exit_code": None}
    assert load.stop_limit_ms == 3_000 + 8_000 + 5_000
