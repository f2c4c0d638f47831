"""Each verdict, for the reason it should have: whole runs against a small real service.

None of these may leave a toxic behind, and each says why it ended as it did.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lab_support import GAMEDAY, Lab, lab, run_gameday, running, wait_until
from promise_support import OFF_WITHIN_S


def finding(result: dict, check: str, subject: str | None = None) -> dict:
    findings = [*result["expectations"], *result["validity"]]
    for found in findings:
        if found["check"] == check and subject in (None, found["subject"], found["expectation"]):
            return found
    raise AssertionError(f"no finding of {check} about {subject}: {findings}")


def test_a_service_that_feels_the_fault_and_whose_alert_fires_passes(small_lab: Lab) -> None:
    small_lab.write()

    ended = small_lab.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    result = small_lab.result()
    assert result["verdict"]["outcome"] == "pass"
    fired = finding(result, "alert/fired", "BackSlow")
    assert fired["outcome"] == "pass"
    small_lab.assert_clean()
    suite = ElementTree.parse(small_lab.last_run / "junit.xml").getroot()
    cases = [case.get("name", "") for case in suite.iter("testcase")]
    for expected in result["expectations"]:
        assert any(expected["expectation"] in name for name in cases), (expected, cases)
    assert "BackSlow" in ended.stdout
    check_that_everything_can_be_made_again(small_lab)


def check_that_everything_can_be_made_again(lab: Lab) -> None:
    """Verdict and reports from the run directory alone, byte for byte."""
    run = lab.last_run
    names = ("result.json", "report.md", "postmortem.md", "junit.xml", "summary.txt")
    before = {name: (run / name).read_bytes() for name in names}
    for name in names:
        (run / name).unlink()

    again = run_gameday("report", "last", cwd=lab.directory)
    judged = run_gameday("judge", run.name, cwd=lab.directory)

    assert again.returncode == 0, again.stderr
    assert judged.returncode == 0, judged.stderr
    assert {name: (run / name).read_bytes() for name in names} == before


def test_a_service_that_absorbs_the_fault_passes(tmp_path: Path) -> None:
    with lab(tmp_path, fallback=True) as resilient:
        resilient.write({"expect": {"fault": ["errors < 5%", "p50 < 500ms"], "alerts": []}})

        ended = resilient.run()

        assert ended.returncode == 0, ended.stdout + ended.stderr
        resilient.assert_clean()


def test_a_broken_hypothesis_fails_and_names_what_broke_it(small_lab: Lab) -> None:
    small_lab.write({"expect": {"fault": ["p50 < 500ms"]}})

    ended = small_lab.run()

    assert ended.returncode == 1, ended.stdout + ended.stderr
    result = small_lab.result()
    assert finding(result, "slo/criterion", "fault: p50 < 500ms")["outcome"] == "fail"
    assert "p50" in result["verdict"]["reason"]
    small_lab.assert_clean()


def test_a_proxy_without_traffic_is_inconclusive(tmp_path: Path) -> None:
    with lab(tmp_path, bypass=True) as around:
        around.write({"expect": {"fault": ["errors < 5%"], "alerts": []}})

        ended = around.run()

        assert ended.returncode == 3, ended.stdout + ended.stderr
        result = around.result()
        assert finding(result, "fault/bit")["outcome"] == "inconclusive"
        assert "traffic" in result["verdict"]["reason"]
        around.assert_clean()


def test_an_alert_that_fires_before_the_fault_is_inconclusive(small_lab: Lab) -> None:
    small_lab.alerts = {
        "BackSlow": {
            "when": "p50 > 0ms over 2s for 1s",
            "labels": {"severity": "page", "service": "front"},
            "runbook": "runbooks/back.md",
            "receiver": "pager",
        }
    }
    small_lab.write()

    ended = small_lab.run()

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "firing already" in ended.stdout
    journal = (small_lab.last_run / "journal.jsonl").read_text()
    assert '"kind":"fault.inject"' not in journal, "nothing may be injected"
    small_lab.assert_clean()


def test_load_that_cannot_be_delivered_is_inconclusive(small_lab: Lab) -> None:
    locustfile = small_lab.directory / "blocking.py"
    locustfile.write_text(
        "import ctypes\n"
        "from locust import FastHttpUser, task\n\n"
        "class Busy(FastHttpUser):\n"
        "    @task\n"
        "    def work(self):\n"
        "        # holds the whole generator: no other user can do anything meanwhile\n"
        "        ctypes.CDLL(None).usleep(60_000)\n"
        "        self.client.get('/work', name='work')\n"
    )
    load = {"arrivals": "40/s", "locustfile": "blocking.py", "journeys": None, "timeout": "2s"}
    small_lab.write(
        {"load": {k: v for k, v in load.items()}, "expect": {"baseline": ["errors < 50%"]}}
    )
    text = (small_lab.directory / "scenario.yaml").read_text().replace("  journeys: null\n", "")
    (small_lab.directory / "scenario.yaml").write_text(text)

    ended = run_gameday(  # from elsewhere: paths in the files do not depend on where one stands
        "run",
        str(small_lab.directory / "scenario.yaml"),
        f"--reports={small_lab.directory / 'reports'}",
        cwd=Path("/"),
        within_s=120,
    )

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "arrivals" in ended.stdout or "generator" in ended.stdout
    small_lab.assert_clean()


def test_a_tripped_stop_condition_ends_with_4_and_the_fault_out(small_lab: Lab) -> None:
    small_lab.write(
        {
            "faults": [{"id": "gone", "target": "back", "down": True}],
            "phases": {"fault": "30s"},
            "expect": {"fault": ["errors < 50%"], "alerts": []},
            "stop_when": ["errors > 60% for 2s"],
        }
    )

    ended = small_lab.run()

    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert "errors > 60% for 2s" in ended.stdout
    small_lab.assert_clean()


def test_our_own_error_ends_with_70_and_the_fault_out(small_lab: Lab) -> None:
    """A bug in the deciding thread itself, in the middle of the fault."""
    small_lab.write()
    broken = small_lab.directory / "broken.py"
    broken.write_text(
        "import sys\n"
        "from gameday.engine.stop import StopConditions\n"
        "see = StopConditions.see\n"
        "def bug(self, event):\n"
        "    if event.kind == 'fault.inject' and event.phase == 'ok':\n"
        "        raise RuntimeError('planted')\n"
        "    return see(self, event)\n"
        "StopConditions.see = bug\n"
        "from gameday.cli import main\n"
        "sys.argv = ['gameday', 'run', 'scenario.yaml']\n"
        "main()\n"
    )

    ended = subprocess.run(
        [GAMEDAY[0], str(broken)],
        cwd=small_lab.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 70, ended.stdout + ended.stderr
    assert "planted" in ended.stdout + ended.stderr
    small_lab.assert_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_130_and_the_fault_out(
    small_lab: Lab, number: signal.Signals
) -> None:
    small_lab.write({"phases": {"fault": "60s"}})
    with running(small_lab) as runner:
        runner.send_signal(number)
        output, _ = runner.communicate(timeout=60)

    assert runner.returncode == 130, output
    small_lab.assert_clean()


def test_notes_and_the_operators_stop_reach_a_run(small_lab: Lab) -> None:
    small_lab.write({"phases": {"fault": "60s"}})
    with running(small_lab, "--json") as runner:
        noted = run_gameday("note", "the dashboard shows it", cwd=small_lab.directory)
        stopped = run_gameday("stop", "seen enough", cwd=small_lab.directory)
        output, _ = runner.communicate(timeout=60)

    assert noted.returncode == 0, noted.stderr
    assert stopped.returncode == 0, stopped.stderr
    assert runner.returncode == 130, output
    for line in output.splitlines():
        json.loads(line)
    journal = (small_lab.last_run / "journal.jsonl").read_text()
    assert "the dashboard shows it" in journal
    assert "seen enough" in journal
    small_lab.assert_clean()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_when_the_runner_dies_the_sentinel_takes_the_fault_out(small_lab: Lab, how: str) -> None:
    """Soon, and read back on the server; the load is gone too, and nothing comes back."""
    small_lab.write({"phases": {"fault": "60s"}})
    with (small_lab.directory / "out.txt").open("w") as out:
        runner = subprocess.Popen(
            [*GAMEDAY, "run", "scenario.yaml"],
            cwd=small_lab.directory,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            wait_until("the fault is in", small_lab.faulty, 40)
            os.killpg(runner.pid, getattr(signal, how))
            wait_until("the toxic is off", small_lab.well, OFF_WITHIN_S)
            wait_until("nothing of ours is left", lambda: set(small_lab.proxies()) == {"back"}, 120)
        finally:
            os.killpg(runner.pid, signal.SIGKILL)
            runner.wait(10)

    small_lab.assert_clean()
    journal = small_lab.last_run / "journal.jsonl"
    wait_until("the sentinel has written it down", lambda: "took_over" in journal.read_text(), 120)
    judged = run_gameday("judge", "last", cwd=small_lab.directory)
    assert judged.returncode == 3, judged.stdout
    next_run = run_gameday("recover", "last", cwd=small_lab.directory)
    assert next_run.returncode == 0, next_run.stdout + next_run.stderr


def test_a_fault_that_cannot_be_shown_to_be_gone_ends_with_5(small_lab: Lab) -> None:
    """The Toxiproxy dies in the middle. When it is back, the sentinel puts the proxy back."""
    small_lab.write({"revert_for": "4s"})
    with running(small_lab) as runner:
        small_lab.server.kill()
        output, _ = runner.communicate(timeout=120)

    assert runner.returncode == 5, output
    assert "late" in output
    assert f"gameday recover {small_lab.last_run.name}" in output
    small_lab.server.start()
    wait_until("the sentinel has put the proxy back", small_lab.well, 60)
    wait_until("nothing of ours is left", lambda: set(small_lab.proxies()) == {"back"}, 30)
    small_lab.assert_clean()


def test_a_toxiproxy_that_restarts_in_the_middle_does_not_end_dirty(small_lab: Lab) -> None:
    """Its proxies are gone with it; the one that was there before the run is put back."""
    small_lab.write({"phases": {"fault": "3s"}})
    with running(small_lab) as runner:
        small_lab.server.kill()
        time.sleep(6)  # the time of the outage is what is tested
        small_lab.server.start()
        output, _ = runner.communicate(timeout=120)

    assert runner.returncode in (1, 3), output
    wait_until("the proxy is back", small_lab.well, 10)
    small_lab.assert_clean()


def test_a_run_whose_sentinel_dies_stops_and_cleans_up(small_lab: Lab) -> None:
    small_lab.write({"phases": {"fault": "60s"}})
    with running(small_lab) as runner:
        lines = (small_lab.last_run / "journal.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines[:10]]
        guard = next(e["data"]["pid"] for e in events if e["kind"] == "sentinel.started")
        os.kill(guard, signal.SIGKILL)
        output, _ = runner.communicate(timeout=60)

    assert runner.returncode == 3, output
    assert "the sentinel is gone" in output
    small_lab.assert_clean()


#: The command; once the fault is in, its files cannot grow by more than a few lines.
FULL_DISK = """
import resource, sys, threading, time
from pathlib import Path

def fill():
    while True:
        time.sleep(0.05)
        for journal in Path("reports").glob("*/journal.jsonl"):
            if b'"kind":"fault.inject","phase":"ok"' in (found := journal.read_bytes()):
                most = len(found) + 2_000
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
                return

threading.Thread(target=fill, daemon=True).start()
sys.argv = ["gameday", "run", "scenario.yaml"]
from gameday.cli import main
main()
"""


def test_a_full_disk_under_the_journal_ends_with_70_and_the_fault_out(small_lab: Lab) -> None:
    """A limit on the size of files stands in for the disk: writing fails in the same way."""
    small_lab.write({"phases": {"fault": "30s"}})
    ended = subprocess.run(
        [GAMEDAY[0], "-c", FULL_DISK],
        cwd=small_lab.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 70, ended.stdout + ended.stderr
    assert '"kind":"fault.inject"' in (small_lab.last_run / "journal.jsonl").read_text()
    wait_until("nothing of ours is left", lambda: set(small_lab.proxies()) == {"back"}, 30)
    small_lab.assert_clean()


def test_a_reader_that_goes_away_does_not_change_the_exit_code(small_lab: Lab) -> None:
    """As with `gameday run … | head -1`: the verdict is the run's, not the pipe's."""
    small_lab.write({"expect": {"fault": ["p50 < 500ms"]}})
    runner = subprocess.Popen(
        [*GAMEDAY, "run", "scenario.yaml"],
        cwd=small_lab.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert runner.stdout is not None
        runner.stdout.readline()
        runner.stdout.close()
        assert runner.stderr is not None
        said = runner.stderr.read()
        runner.stderr.close()
        code = runner.wait(60)
    finally:
        runner.kill()
        runner.wait()

    assert code == 1, said
    assert "Traceback" not in said
    assert small_lab.result()["verdict"]["exit_code"] == 1
    small_lab.assert_clean()
