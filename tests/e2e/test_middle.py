"""What a run breaks goes away, hangs or changes in its middle: each has the right verdict."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker_support import DockerLab, OwnEngine, docker_lab, http_ok
from lab_support import GAMEDAY, Lab, lab, run_gameday, running, wait_until
from set_support import as_wanted

from gameday.journal import read
from gameday.model.event import Phase, Timeline

# --- Toxiproxy


def test_a_toxiproxy_that_hangs_for_good_ends_with_5_and_is_cleaned_when_it_answers(
    small_lab: Lab,
) -> None:
    small_lab.write({"revert_for": "4s", "call_limit": "2s"})
    server = small_lab.server.process
    with running(small_lab) as runner:
        server.send_signal(signal.SIGSTOP)
        try:
            output, _ = runner.communicate(timeout=120)
        finally:
            server.send_signal(signal.SIGCONT)

    assert runner.returncode == 5, output
    assert "late" in output
    wait_until("the sentinel has taken it out", small_lab.well, 90)
    wait_until("nothing of ours is left", lambda: set(small_lab.proxies()) == {"back"}, 60)
    small_lab.assert_clean()


def test_a_toxiproxy_that_hangs_for_a_while_does_not_end_dirty(small_lab: Lab) -> None:
    small_lab.write({"phases": {"fault": "3s"}, "call_limit": "2s"})
    server = small_lab.server.process
    with running(small_lab) as runner:
        server.send_signal(signal.SIGSTOP)
        wait_until(
            "a revert has been given up",
            lambda: "outlived its limit" in (small_lab.last_run / "journal.jsonl").read_text(),
            60,
        )
        server.send_signal(signal.SIGCONT)
        output, _ = runner.communicate(timeout=120)

    assert runner.returncode in (1, 3, 4), output
    small_lab.assert_clean()


# --- requests, in the embedded proxy


def test_a_share_of_the_answers_is_an_error_and_the_run_knows_how_many(small_lab: Lab) -> None:
    errors = {"type": "http_status", "status": 503, "path": "/item", "share": "50%"}
    fault = {"id": "late", "target": "back", "toxic": errors}
    small_lab.write({"faults": [fault], "expect": {"alerts": []}})
    ended = small_lab.run()
    found = [f for f in small_lab.result()["validity"] if f["check"] == "fault/bit"]
    assert [f["outcome"] for f in found] == ["pass"], ended.stdout
    facts = found[0]["facts"]
    assert facts["requests_hit"] == pytest.approx(facts["requests_matched"] / 2, rel=0.3)
    assert facts["not_http"] == 0
    small_lab.assert_clean()


def test_a_fault_of_the_embedded_server_is_refused_on_a_real_one(
    tmp_path: Path, real_server: Any
) -> None:
    real_server("toxiproxy-server")
    with lab(tmp_path, kind="started") as made:
        errors = {"type": "http_status", "status": 503}
        made.write({"faults": [{"id": "late", "target": "back", "toxic": errors}]})
        ended = made.run()
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert "http_status" in ended.stderr
        assert "embedded" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not (tmp_path / "reports").exists()


# --- stages


def test_a_fault_grows_behind_its_gates(small_lab: Lab) -> None:
    """By time, by a condition on the load, and by a person."""

    def latency(ms: int) -> dict[str, Any]:
        return {"toxic": {"type": "latency", "latency": f"{ms}ms"}}

    stages = [
        {"after": "2s", **latency(200)},
        {"when": "errors < 5% over 2s for 2s", **latency(300)},
        {"gate": "stronger", **latency(600)},
    ]
    fault = {"id": "late", "target": "back", **latency(100), "stages": stages}
    small_lab.write({"faults": [fault], "phases": {"fault": "18s"}, "expect": {"alerts": []}})
    with running(small_lab) as runner:
        wait_until("the third strength is in", lambda: _strengths(small_lab) == 3, 60)
        opened = run_gameday("gate", "stronger", cwd=small_lab.directory)
        assert opened.returncode == 0, opened.stderr
        output, _ = runner.communicate(timeout=120)

    assert runner.returncode == 0, output
    assert _strengths(small_lab) == 4
    timeline = Timeline(read(small_lab.last_run / "journal.jsonl").events)
    by = [e.data["by"] for e in timeline.of("gate.opened")]
    assert by[0] == "condition"
    assert len(by) == 2
    small_lab.assert_clean()


def test_a_gate_that_nobody_opens_leaves_the_run_inconclusive(small_lab: Lab) -> None:
    strong = {"toxic": {"type": "latency", "latency": "900ms"}}
    fault = {
        "id": "late",
        "target": "back",
        "toxic": {"type": "latency", "latency": "600ms"},
        "stages": [{"gate": "stronger", **strong}],
    }
    small_lab.write({"faults": [fault]})
    ended = small_lab.run()
    assert ended.returncode == 3, ended.stdout
    said = " ".join(ended.stdout.split())
    too_busy = as_wanted(0, small_lab.result()["verdict"])
    assert "reached strength 1 of 2" in said or too_busy, ended.stdout
    small_lab.assert_clean()


def _strengths(lab: Lab) -> int:
    timeline = Timeline(read(lab.last_run / "journal.jsonl").events)
    return len([e for e in timeline.of("fault.inject") if e.phase is Phase.OK])


# --- containers


def box_project(folder: Path, lab: DockerLab, port: int, fault: dict[str, Any]) -> None:
    """A service in a container, loaded directly, and one fault of that container."""
    target = {
        "url": f"http://127.0.0.1:{port}",
        "address": f"127.0.0.1:{port}",
        "probe": "http:/",
        "container": lab.name("box"),
    }
    local = {"targets": {"box": target}, "docker": {"url": lab.url}}
    project = {"gameday": 1, "environments": {"local": local}}
    scenario = {
        "gameday": 1,
        "id": "box",
        "title": "The container breaks",
        "service": "box",
        "owner": "team",
        "hypothesis": "While its container is in trouble the service answers all the same.",
        "load": {
            "target": "box",
            "arrivals": "20/s",
            "timeout": "1s",
            "journeys": {"look": {"steps": [{"get": "/"}]}},
        },
        "phases": {"warmup": "1s", "baseline": "4s", "fault": "6s", "recovery": "5s"},
        "faults": [{"id": "trouble", "target": "box", "container": fault}],
        "expect": {
            "baseline": ["errors < 10%", "p50 < 900ms"],  # the generator may be 90 ms late
            "fault": ["errors < 10%"],
            "recovery": ["steady within 4s"],
        },
        "stop_when": ["errors > 99% for 60s"],
    }
    (folder / "gameday.yaml").write_text(yaml.safe_dump(project))
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))


def test_a_frozen_container_is_felt_and_the_hypothesis_fails(
    tmp_path: Path, docker_engine: DockerLab
) -> None:
    box, port = docker_engine.http()
    box_project(tmp_path, docker_engine, port, {"type": "pause"})
    ended = run_gameday("run", "scenario.yaml", cwd=tmp_path, within_s=120)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "errors" in ended.stdout
    box.reload()
    assert box.status == "running"
    assert http_ok(port)
    assert not _ours(docker_engine)


def test_a_container_with_less_processor_still_answers_and_the_run_passes(
    tmp_path: Path, docker_engine: DockerLab
) -> None:
    _box, port = docker_engine.http()
    box_project(tmp_path, docker_engine, port, {"type": "cpu", "cpus": 0.8})
    ended = run_gameday("run", "scenario.yaml", cwd=tmp_path, within_s=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not _ours(docker_engine)


def test_a_container_that_somebody_removes_in_the_middle_is_noted_and_is_no_debt(
    tmp_path: Path, docker_engine: DockerLab
) -> None:
    _box, port = docker_engine.http()
    box_project(tmp_path, docker_engine, port, {"type": "pause"})
    with _running(tmp_path) as runner:
        wait_until("it is frozen", lambda: _state(docker_engine)["Paused"], 60)
        docker_engine.client.api.remove_container(docker_engine.name("box"), force=True)
        output, _ = runner.communicate(timeout=120)
    assert runner.returncode == 3, output
    assert "more happened than was planned" in " ".join(output.split())
    reverts = _timeline(tmp_path).of("fault.revert")
    assert any(e.phase is Phase.OK and "gone" in str(e.data) for e in reverts)
    assert not _ours(docker_engine)


def test_a_docker_daemon_that_restarts_in_the_middle_does_not_end_dirty(
    tmp_path: Path, own_engine: OwnEngine
) -> None:
    with docker_lab(own_engine.url) as lab:
        box, port = lab.http(restart_policy={"Name": "always"})
        box_project(tmp_path, lab, port, {"type": "pause"})
        with _running(tmp_path) as runner:
            wait_until("it is frozen", lambda: _state(lab)["Paused"], 60)
            daemon = own_engine.pid
            os.kill(daemon, signal.SIGTERM)
            wait_until("it has ended", lambda: not Path(f"/proc/{daemon}").exists(), 60)
            own_engine.start()
            output, _ = runner.communicate(timeout=180)
        assert runner.returncode in (1, 3), output
        box.reload()
        assert not _state(lab)["Paused"]
        assert not _ours(lab)


def test_a_typo_in_a_container_and_one_that_is_not_opted_in_are_told_together(
    tmp_path: Path, docker_engine: DockerLab
) -> None:
    docker_engine.run("shy", allow=False, labels={"app": docker_engine.name("shy")})
    _box, port = docker_engine.http()
    box_project(tmp_path, docker_engine, port, {"type": "pause"})
    project = yaml.safe_load((tmp_path / "gameday.yaml").read_text())
    targets = project["environments"]["local"]["targets"]
    targets["lost"] = {"container": docker_engine.name("bxo")}
    targets["shy"] = {"container": {"label": f"app={docker_engine.name('shy')}"}}
    (tmp_path / "gameday.yaml").write_text(yaml.safe_dump(project))
    scenario = yaml.safe_load((tmp_path / "scenario.yaml").read_text())
    scenario["faults"] += [
        {"id": "a", "target": "lost", "container": {"type": "pause"}},
        {"id": "b", "target": "shy", "container": {"type": "pause"}},
    ]
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario))

    ended = run_gameday("run", "scenario.yaml", cwd=tmp_path)

    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert docker_engine.name("bxo") in ended.stderr
    assert "gameday.allow" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "reports").exists()


def test_an_engine_that_is_not_there_is_one_clear_message(tmp_path: Path) -> None:
    lab = DockerLab(url=f"unix://{tmp_path}/none.sock", client=None)  # type: ignore[arg-type]
    box_project(tmp_path, lab, 9, {"type": "pause"})
    ended = run_gameday("run", "scenario.yaml", cwd=tmp_path)
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "none.sock" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) <= 4


# --- everything is gone but the places themselves


def test_without_journal_runner_and_sentinel_the_engine_itself_is_enough(
    tmp_path: Path, own_engine: OwnEngine
) -> None:
    """As when the whole container of a CI job is gone. All of the engine is cleaned: its own."""
    with docker_lab(own_engine.url) as made:
        box, port = made.http()
        box_project(tmp_path, made, port, {"type": "pause"})
        with _running(tmp_path, start_new_session=True) as runner:
            wait_until("it is frozen", lambda: _state(made)["Paused"], 60)
            started = _timeline(tmp_path).first("sentinel.started")
            assert started is not None
            os.kill(int(started.data["pid"]), signal.SIGKILL)
            os.killpg(runner.pid, signal.SIGKILL)
            runner.wait(10)
        shutil.rmtree(tmp_path / "reports")
        assert _state(made)["Paused"]

        refused = run_gameday("run", "scenario.yaml", cwd=tmp_path)
        cleaned = run_gameday("recover", "--target", made.url, cwd=tmp_path)

        assert refused.returncode == 2, refused.stdout + refused.stderr
        assert f"gameday recover --target {made.url}" in refused.stderr
        assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
        box.reload()
        assert box.status == "running"
        assert not _ours(made)


@pytest.fixture(autouse=True)
def _no_engine_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def _running(folder: Path, **more: Any) -> Any:
    return _Runner(folder, more)


class _Runner:
    """`gameday run` under way; killed at the end if it has not ended."""

    def __init__(self, folder: Path, more: dict[str, Any]) -> None:
        self._folder, self._more = folder, more

    def __enter__(self) -> subprocess.Popen[str]:
        self._child = subprocess.Popen(
            [*GAMEDAY, "run", "scenario.yaml"], cwd=self._folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **self._more,
        )  # fmt: skip
        return self._child

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait(10)
        if self._child.stdout is not None:
            self._child.stdout.close()


def _timeline(folder: Path) -> Timeline:
    journal = next((folder / "reports").glob("*/journal.jsonl"))
    return Timeline(read(journal).events)


def _state(lab: DockerLab) -> dict[str, Any]:
    found: dict[str, Any] = lab.client.api.inspect_container(lab.name("box"))["State"]
    return found


def _ours(lab: DockerLab) -> list[str]:
    names = list(lab.listed())
    return [name for name in names if name.startswith("gameday") and lab.tag in name]
