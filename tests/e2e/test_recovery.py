"""When runner and sentinel are both gone: refused, then taken out by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab_support import GAMEDAY, Lab, get_json, run_gameday, toxiproxy, wait_until
from set_support import as_wanted

from gameday.journal import read
from gameday.recovery import recover_run


@contextmanager
def everything_killed(lab: Lab) -> Iterator[Path]:
    """A run whose runner and sentinel were killed at once, with the fault in."""
    lab.write({"phases": {"fault": "60s"}})
    with (lab.directory / "out.txt").open("w") as out:
        runner = subprocess.Popen(
            [*GAMEDAY, "run", "scenario.yaml"],
            cwd=lab.directory,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_until("the fault is in", lab.faulty, 40)
        text = (lab.last_run / "journal.jsonl").read_text
        wait_until("it is written down", lambda: '"confirmed_ms"' in text(), 10)
        events = [json.loads(line) for line in text().splitlines()[:10]]
        guard = next(e["data"]["pid"] for e in events if e["kind"] == "sentinel.started")
        os.kill(guard, signal.SIGKILL)
        os.killpg(runner.pid, signal.SIGKILL)
        runner.wait(10)
        yield lab.last_run
    finally:
        runner.kill()
        runner.wait(10)


def test_a_new_run_refuses_until_recover_has_cleaned_up(small_lab: Lab) -> None:
    with everything_killed(small_lab) as run:
        assert small_lab.faulty(), "the fault must still be in"

        refused = small_lab.run()
        cleaned = run_gameday("recover", cwd=small_lab.directory)
        again = run_gameday("recover", run.name, cwd=small_lab.directory)

    assert refused.returncode == 2
    assert run.name in refused.stderr
    assert f"gameday recover {run.name}" in refused.stderr
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert again.returncode == 0, again.stdout + again.stderr
    small_lab.assert_clean()


def test_without_any_journal_the_server_itself_is_enough(small_lab: Lab) -> None:
    """Runner, sentinel and run directory gone together, as with a CI container."""
    with everything_killed(small_lab):
        shutil.rmtree(small_lab.directory / "reports")

        cleaned = run_gameday("recover", "--target", small_lab.toxiproxy, cwd=small_lab.directory)

    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    small_lab.assert_clean()


def test_a_journal_cut_anywhere_after_the_inject_is_enough_to_clean_up(
    small_lab: Lab, tmp_path: Path
) -> None:
    """The server is put back into its broken state for each cut."""
    with everything_killed(small_lab) as run:
        broken = small_lab.proxies()
        raw = (run / "journal.jsonl").read_bytes()
        begun = raw.index(b"\n", raw.index(b'"kind":"fault.inject"')) + 1
        cuts = sorted({*range(begun, len(raw), max(1, (len(raw) - begun) // 24)), len(raw)})
        aside = tmp_path / "aside"
        for cut in cuts:
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(run, aside)
            (aside / "journal.jsonl").write_bytes(raw[:cut])
            long_ago = time.time() - 120  # so that nobody waits for late injects
            os.utime(aside / "journal.jsonl", (long_ago, long_ago))
            restore(small_lab.toxiproxy, broken)
            assert small_lab.faulty()

            report = recover_run(aside)

            assert report.clean, (cut, report)
            found = small_lab.proxies()["back"]
            assert (found["toxics"], found["enabled"]) == ([], True), cut
        small_lab.assert_clean()


def restore(url: str, state: dict[str, Any]) -> None:
    """Put the server into a state that was seen before."""
    for name in get_json(f"{url}/proxies"):
        ask(f"{url}/proxies/{name}", "DELETE")
    for proxy in state.values():
        body = {key: proxy[key] for key in ("name", "listen", "upstream")}
        ask(f"{url}/proxies", "POST", {**body, "enabled": False})
        for toxic in proxy["toxics"]:
            ask(f"{url}/proxies/{proxy['name']}/toxics", "POST", toxic)
        if proxy["enabled"]:
            ask(f"{url}/proxies/{proxy['name']}", "POST", {"enabled": True})


def ask(url: str, verb: str, body: object = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(url, data, method=verb), timeout=5).close()


def test_several_faults_each_with_its_own_start_and_length(small_lab: Lab) -> None:
    """Two overlapping toxics and a time of refusal on one proxy, in both streams."""
    small_lab.write(
        {
            "phases": {"fault": "8s", "recovery": "5s"},
            "faults": [
                {
                    "id": "late",
                    "target": "back",
                    "toxic": {"type": "latency", "latency": "100ms"},
                    "length": "6s",
                },
                {
                    "id": "cut",
                    "target": "back",
                    "toxic": {"type": "slicer", "average_size": "16B", "stream": "upstream"},
                    "start": "1s",
                    "length": "3s",
                },
                {"id": "gone", "target": "back", "down": True, "start": "5s", "length": "2s"},
            ],
            "expect": {"fault": ["errors < 70%"], "alerts": []},
        }
    )

    ended = small_lab.run()

    # also where the machine was too busy for the load, the faults came and went
    assert as_wanted(0, small_lab.result()["verdict"]), ended.stdout + ended.stderr
    faults = {f["id"]: f for f in small_lab.result()["faults"]}
    events = read(small_lab.last_run / "journal.jsonl").events
    began_ms = next(e.at_ms for e in events if (e.kind, e.subject) == ("run.phase", "fault"))
    edges = [(f[f"{edge}_ms"], name, edge) for name, f in faults.items() for edge in ("on", "off")]
    assert [(name, edge) for _, name, edge in sorted(edges)] == [
        ("late", "on"), ("cut", "on"), ("cut", "off"), ("gone", "on"), ("late", "off"),
        ("gone", "off"),
    ]  # fmt: skip
    for name, on_s, off_s in (("late", 0, 6), ("cut", 1, 4), ("gone", 5, 7)):
        at_ms = [faults[name][edge] - began_ms for edge in ("on_ms", "off_ms")]
        assert at_ms[0] >= on_s * 1000 - 5, at_ms
        assert at_ms[1] >= off_s * 1000 - 5, at_ms
    small_lab.assert_clean()


@pytest.mark.real
def test_a_real_server_is_cleaned_without_a_journal_too(real_server: Any) -> None:
    """Nothing of ours is there, somebody's toxic is: it stays."""
    real_server("toxiproxy-server")
    with toxiproxy("real") as server:
        url = server.url
        ask(f"{url}/proxies", "POST", {
            "name": "theirs", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9",
        })  # fmt: skip
        ask(f"{url}/proxies/theirs/toxics", "POST", {
            "name": "mine", "type": "latency", "attributes": {"latency": 5},
        })  # fmt: skip

        cleaned = run_gameday("recover", "--target", url, cwd=Path.cwd())

        assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
        assert [t["name"] for t in get_json(f"{url}/proxies")["theirs"]["toxics"]] == ["mine"]
