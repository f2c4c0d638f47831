"""Every kind of fault keeps the contract that `gameday.testing.contract` checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from docker_helper_support import docker_engine
from every_kind_docker import CONTAINER, container_case
from every_kind_host import HOST
from every_kind_support import TOXIC, Bench, Builder, toxic_case
from test_host_started import faketime

from gameday.adapters.toxiproxy.server import ServerChoice, choose_server
from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.toxics import TOXICS, embedded_only
from gameday.testing.contract import check_hanging, check_in_and_out, check_nothing_put_in

__all__ = ["docker_engine", "faketime"]


def _on_proxies() -> Iterator[tuple[str, Builder]]:
    for kind in (*TOXIC, "down"):
        servers = ("embedded",) if embedded_only(kind) else ("embedded", "started")
        for server in servers:
            yield f"{kind}@{server}", toxic_case(kind, server)


#: Kind of fault, with the server of a toxic behind an `@`, -> its case.
CASES: Mapping[str, Builder] = {
    **dict(_on_proxies()),
    **{f"container.{kind}": container_case(kind) for kind in CONTAINER},
    **HOST,
}
#: Those without another side that could hang: what they touch is this host itself.
NOBODY_ELSE = {"process.stop", "process.kill", "clock.skew"}
HANGING = [name for name in CASES if name not in NOBODY_ELSE]
#: A hang is mostly waiting: one of each way to be reached in CI, all of them in the full run.
HANGING_IN_CI = {
    "latency@started", "down@embedded", "container.pause", "certificate.expired", "command", "http",
}  # fmt: skip


def marked(names: list[str], quick: set[str] | None = None) -> list[object]:
    found = []
    for name in names:
        marks = [pytest.mark.slow] if quick is not None and name not in quick else []
        if name.startswith(("container.", "clock.")) or name.endswith("@started"):
            marks.append(pytest.mark.real)
        found.append(pytest.param(name, marks=marks))
    return found


@pytest.fixture(scope="module")
def toxiproxies(
    tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]
) -> Iterator[Callable[[str], ServerChoice]]:
    """One server of each kind, started when it is first asked for."""
    made: dict[str, ServerChoice] = {}

    def server(kind: str) -> ServerChoice:
        if kind not in made:
            if kind == "started":
                real_server("toxiproxy-server")
            log = tmp_path_factory.mktemp("log")
            made[kind] = choose_server(None, log_dir=log, force_kind=kind)
        return made[kind]

    yield server
    for each in made.values():
        each.stop()


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    return Bench(directory=tmp_path, fixture=request.getfixturevalue)


def test_every_kind_has_a_case() -> None:
    families = {
        family if family in GENERIC else f"{family}.{kind}"
        for family, kinds in FAMILIES.items()
        for kind in kinds
    }
    everything = {*TOXICS, "down", *families}
    assert {name.partition("@")[0] for name in CASES} == everything
    assert {name for name in CASES if name.endswith("@started")} == {
        f"{kind}@started" for kind in (*TOXICS, "down") if not embedded_only(kind)
    }
    assert set(HANGING_IN_CI) <= set(HANGING)


# The long ones first, so that other workers can go on with the rest meanwhile.
@pytest.mark.parametrize("name", marked(HANGING, HANGING_IN_CI))
def test_every_call_ends_when_the_other_side_hangs(bench: Bench, name: str) -> None:
    with CASES[name](bench) as case:
        assert case.hang is not None
        check_hanging(case)


@pytest.mark.parametrize("name", marked(list(CASES)))
def test_it_changes_nothing_before_and_goes_in_and_out(bench: Bench, name: str) -> None:
    with CASES[name](bench) as case:
        check_nothing_put_in(case)
        check_in_and_out(case)
