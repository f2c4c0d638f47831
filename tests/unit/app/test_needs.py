"""What a scenario needs and is not there skips it; what is there and in trouble does not."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from docker_support import DockerLab

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
from checks_support import plan

from gameday.adapters.host import faketime
from gameday.app.needs import missing_need
from gameday.app.pytest_scenarios import answer_of, answer_of_whole
from gameday.app.scenario_run import InconclusiveError, ScenarioRun
from gameday.model.needs import NEEDS
from gameday.model.plan import Plan
from gameday.model.project import ContainerRef, DockerSpec, Target
from gameday.model.scenario import ActionSpec
from gameday.model.verdict import ExitCode, Outcome


def needy(
    url: str, *needs: str, container: ContainerRef | None = None, family: str = "container"
) -> Plan:
    base = plan()
    (fault,) = base.scenario.faults
    fault = replace(fault, toxic=None, action=ActionSpec(family=family, type="kill"))
    target = Target(name=fault.target, container=container or ContainerRef(name="nobody-has-this"))
    environment = replace(
        base.environment,
        docker=DockerSpec(url=url),
        targets={**base.environment.targets, fault.target: target},
    )
    scenario = replace(base.scenario, needs=needs, faults=(fault,))
    return replace(base, environment=environment, scenario=scenario)


def test_nothing_is_asked_for_what_is_not_needed(tmp_path: Path) -> None:
    assert missing_need(needy(f"unix://{tmp_path}/none.sock")) == ""


@pytest.mark.parametrize("need", ["docker", "containers"])
def test_where_no_engine_is_it_says_which_was_asked(tmp_path: Path, need: str) -> None:
    url = f"unix://{tmp_path}/none.sock"

    said = missing_need(needy(url, need))

    assert said.startswith(f"it needs Docker: no Docker engine answers at {url}")


def test_a_port_that_refuses_is_no_engine() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"tcp://127.0.0.1:{held.getsockname()[1]}"

        assert missing_need(needy(url, "docker")).startswith("it needs Docker: ")


@contextmanager
def silent(path: Path) -> Iterator[str]:
    """A socket whose owner hangs up on everybody."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0.05)
        over = threading.Event()

        def hang_up() -> None:
            while not over.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            over.set()
            thread.join()


def test_an_engine_in_trouble_is_there(tmp_path: Path) -> None:
    with silent(tmp_path / "d.sock") as url:
        assert missing_need(needy(url, "docker", "containers")) == ""


def test_libfaketime_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faketime, "library", lambda: None)
    assert "apt-get install libfaketime" in missing_need(needy("unix:///x", "libfaketime"))

    monkeypatch.setattr(faketime, "library", lambda: Path("libfaketime.so.1"))
    assert missing_need(needy("unix:///x", "libfaketime")) == ""


@pytest.mark.real
def test_on_a_real_engine_the_containers_are_looked_for(docker_engine: DockerLab) -> None:
    url = docker_engine.url
    box = docker_engine.run()
    there, absent = ContainerRef(name=docker_engine.name("box")), ContainerRef(name="gdt-absent")
    label = ContainerRef(label=f"gdt={docker_engine.tag}", pick="one")

    def missing(*needs: str, ref: ContainerRef) -> str:
        return missing_need(needy(url, *needs, container=ref))

    assert missing("docker", ref=absent) == ""
    assert "no container `gdt-absent`" in missing("docker", "containers", ref=absent)
    assert missing("containers", ref=there) == ""
    assert missing("containers", ref=label) == ""
    assert "no running container" in missing("containers", ref=ContainerRef(label="gdt=nobody"))
    box.stop()
    assert missing("containers", ref=there) == "", "it is there; the run says that it does not run"


def test_containers_of_faults_that_break_none_are_not_looked_for(
    docker_engine: DockerLab,
) -> None:
    assert missing_need(needy(docker_engine.url, "containers", family="process")) == ""


SKIPPED = ScenarioRun(exit_code=ExitCode.INCONCLUSIVE, reason="it needs Docker", skipped=True)


def test_a_skipped_run_is_a_skip_in_every_item_and_no_pass() -> None:
    assert SKIPPED.outcome is Outcome.SKIP
    assert answer_of_whole(SKIPPED).outcome is Outcome.SKIP
    found = answer_of(SKIPPED, ("slo/criterion", "fault", "fault: p50 < 1s"))
    assert (found.outcome, found.text) == (Outcome.SKIP, "it needs Docker")
    with pytest.raises(InconclusiveError, match="it needs Docker"):
        SKIPPED.check()


@pytest.mark.parametrize("word", sorted(NEEDS))
def test_each_word_of_the_table_is_looked_for(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faketime, "library", lambda: None)

    assert missing_need(needy(f"unix://{tmp_path}/none.sock", word))
