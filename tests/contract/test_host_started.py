"""Processes that a run starts: found again without their number, ended exactly, clocks changed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from host_support import (
    KILL,
    RUN,
    STOP,
    Host,
    action,
    awake,
    elsewhere,
    files_below,
    full_disk,
    hosting,
    running,
    state,
    wait,
)
from ports_support import free_port

from gameday.adapters.host import commands as commands_module
from gameday.adapters.host import started as started_module
from gameday.adapters.host.faketime import library, offset_text
from gameday.adapters.host.files import keep
from gameday.adapters.host.lease import recover_target
from gameday.adapters.host.started import HostTarget
from gameday.adapters.host.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.project import ProcessRef, Target
from gameday.model.scenario import FaultSpec
from gameday.ports import Undo

#: Listens, and answers each connection with its own idea of the time.
CLOCK = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    one, _ = server.accept()
    with one: one.sendall(f"{time.time()} {time.monotonic()}".encode())
"""
#: A parent with workers, one of which has left its session and its parent.
WORKERS = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    time.sleep(120)
os.wait()
if os.fork() == 0: time.sleep(120)
time.sleep(120)
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


@pytest.fixture
def faketime() -> Path:
    found = library()
    if found is not None:
        return found
    message = "libfaketime is not installed: clock skew was NOT tested against the real thing"
    if os.environ.get("GAMEDAY_REQUIRE_REAL") == "1":
        pytest.fail(message)
    pytest.skip(message)


def target(*start: str, **more: object) -> Target:
    address = more.pop("address", None)
    ref = ProcessRef(start=start or ("sleep", "120"), **more)  # type: ignore[arg-type]
    return Target(name="t", process=ref, address=address)  # type: ignore[arg-type]


# -- starting and ending ----------------------------------------------------------------------


def test_prepare_starts_nothing(host: Host) -> None:
    before = files_below(host.directory)
    undo = host.opener(target()).prepare()
    assert undo["mode"] == "started"
    assert json.loads(json.dumps(undo)) == undo
    assert (host.ours(), files_below(host.directory)) == ([], before)
    assert not UNDOER.present(undo)
    UNDOER.revert(undo)


def test_it_is_started_in_a_session_of_its_own_and_ended(host: Host) -> None:
    opener = host.opener(target())
    undo = opener.prepare()
    facts = opener.open(undo)
    (pid,) = host.ours()
    assert (facts["started"], facts["pid"]) == (True, pid)
    assert os.getsid(pid) == pid
    assert UNDOER.present(undo)
    assert host.notes() == [f"undo-{RUN}-target-t.json"]
    assert UNDOER.revert(undo) == {"ended": 1}
    assert (host.ours(), host.notes()) == ([], [])
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"ended": 0}


def test_exactly_what_was_started_is_ended_wherever_it_went(host: Host) -> None:
    bystander = host.spawn("sleep", "120")
    opener = host.opener(target(sys.executable, "-c", WORKERS))
    undo = opener.prepare()
    opener.open(undo)
    wait(lambda: len(host.ours()) == 3)
    everybody = host.ours()
    os.kill(everybody[0], signal.SIGSTOP)
    assert UNDOER.revert(undo)["ended"] == 3
    assert not any(running(pid) for pid in everybody)
    assert running(bystander.pid)


def test_one_that_does_not_want_to_end_is_killed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.host.service._TERM_S", 0.2)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); open('up', 'w'); time.sleep(99)"
    opener = host.opener(target(sys.executable, "-c", code))
    undo = opener.prepare()
    opener.open(undo)
    wait((host.directory / "up").exists)
    assert UNDOER.revert(undo) == {"ended": 1}
    assert host.ours() == []


def test_it_is_found_by_its_mark_when_the_note_is_gone(host: Host) -> None:
    opener = host.opener(target())
    undo = opener.prepare()
    opener.open(undo)
    for path in (host.directory / ".gameday" / "host").glob("*.json"):
        path.unlink()
    elsewhere(undo, "assert r.present(u); r.revert(u); assert not r.present(u)", host.directory)
    assert host.ours() == []


def test_it_outlives_a_runner_that_is_killed_and_is_still_found(host: Host) -> None:
    undo = host.opener(target()).prepare()
    program = (
        "from pathlib import Path; import os;"
        "from gameday.adapters.host.started import HostTarget;"
        "from gameday.model.project import ProcessRef, Target;"
        "t = Target(name='t', process=ProcessRef(start=('sleep', '120')));"
        "HostTarget(Path(u['directory']), u['run'], t, commands=('sleep',)).open(u);"
        "os.kill(os.getpid(), 9)"
    )
    with pytest.raises(subprocess.CalledProcessError):
        elsewhere(undo, program, host.directory)
    (pid,) = host.ours()
    assert awake(pid)
    assert UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"ended": 1}
    assert not running(pid)


def test_it_is_found_by_its_note_when_the_mark_is_gone(host: Host) -> None:
    """Some programs write over their environment."""
    code = "import os, time; os.path.exists('x') or (open('x', 'w'), time.sleep(1.5)); "
    code += "os.execve('/bin/sleep', ['sleep', '120'], {})"
    opener = host.opener(target(sys.executable, "-c", code))
    undo = opener.prepare()
    pid = opener.open(undo)["pid"]
    wait(lambda: host.ours() == [])
    assert UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"ended": 1}
    assert not running(pid)


def test_recovery_ends_it_without_a_journal_after_the_faults(host: Host) -> None:
    opener = host.opener(target())
    opener.open(opener.prepare())
    fault = host.fault(STOP, target())
    fault.inject(fault.prepare())
    (pid,) = host.ours()
    assert state(pid) == "T"
    report = recover_target(host.directory)
    assert report.lines == (
        f"took fault `f` of run `{RUN}` out",
        f"closed target `t` of run `{RUN}`",
    )
    assert (report.clean, host.ours(), host.notes()) == (True, [], [])


def test_one_that_ends_at_once_is_named_with_its_words(host: Host) -> None:
    opener = host.opener(target(sys.executable, "-c", "raise SystemExit('no such port')"))
    undo = opener.prepare()
    with pytest.raises(NoEffectError, match="ended at once with 1: no such port"):
        opener.open(undo)
    assert (host.ours(), host.notes()) == ([], [])
    assert not UNDOER.present(undo)


def test_it_is_ready_when_its_address_answers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    serving = target(sys.executable, "-c", CLOCK, str(port), address=f"127.0.0.1:{port}")
    opener = host.opener(serving)
    undo = opener.prepare()
    opener.open(undo)
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    UNDOER.revert(undo)
    monkeypatch.setattr(started_module, "OPEN_S", 0.5)
    deaf = target(address=f"127.0.0.1:{port}")
    opener = host.opener(deaf)
    undo = opener.prepare()
    with pytest.raises(AdapterError, match="nothing answers") as caught:
        opener.open(undo)
    assert not isinstance(caught.value, NoEffectError)
    assert UNDOER.present(undo)  # it is owed its end
    UNDOER.revert(undo)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (("ls",), "which is not allowed"),
        (("no-such-program-at-all",), "there is no program"),
        (("./sleep",), "there is no program"),
    ],
)
def test_only_allowed_programs_are_started(host: Host, start: tuple[str, ...], words: str) -> None:
    with pytest.raises(NoEffectError, match=words):
        host.opener(target(*start)).prepare()


def test_allowing_one_link_of_a_program_does_not_allow_the_others(host: Host) -> None:
    """As with busybox, where all commands are links to one file."""
    for name in ("one", "other"):
        (host.directory / name).symlink_to("/bin/sleep")
    allowed = commands_module.allowed
    assert allowed(("./one", "1"), host.directory, ("./one",), "x")[0].endswith("/one")
    with pytest.raises(NoEffectError, match="not allowed"):
        allowed(("./other", "1"), host.directory, ("./one",), "x")
    with pytest.raises(NoEffectError, match="is empty"):
        allowed((), host.directory, ("./one",), "x")


def test_a_service_that_runs_already_is_not_started_again(host: Host) -> None:
    opener = host.opener(target())
    undo = opener.prepare()
    opener.open(undo)
    with pytest.raises(NoEffectError, match="runs already for this run"):
        host.opener(target()).prepare()
    UNDOER.revert(undo)
    process = host.sleeper()
    with pytest.raises(NoEffectError, match=f"names process {process.pid}"):
        host.opener(target(pidfile="service.pid")).prepare()


def test_a_process_that_a_pidfile_names_is_kept(host: Host) -> None:
    process = host.sleeper()
    opener = host.opener(host.target())
    undo = opener.prepare()
    assert undo["mode"] == "kept"
    assert opener.open(undo) == {"started": False}
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {}
    assert awake(process.pid)
    process.kill()
    process.wait()
    with pytest.raises(NoEffectError, match="does not run"):
        opener.prepare()


@pytest.mark.parametrize("spec", [STOP, KILL], ids=["stop", "kill"])
def test_faults_on_a_process_of_the_run(host: Host, spec: FaultSpec) -> None:
    mine = target(sys.executable, "-c", "import time; time.sleep(120)")
    fault = host.fault(spec, mine)
    undo = fault.prepare()  # before it runs
    assert not UNDOER.present(undo)
    with pytest.raises(NoEffectError, match="does not run"):
        fault.inject(undo)
    opener = host.opener(mine)
    opened = opener.prepare()
    (first,) = (opener.open(opened)["pid"],)
    fault.inject(undo)
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    (now,) = host.ours()
    assert awake(now)
    assert (now == first) is (spec is STOP)
    UNDOER.revert(opened)
    assert host.ours() == []
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo).get("restarted") is None  # closed: nobody is owed it
    assert host.ours() == []


def test_targets_started_on_another_host_cannot_be_seen(host: Host) -> None:
    undo = host.opener(target()).prepare()
    undo = {**undo, "by": {**undo["by"], "host": "elsewhere"}}
    with pytest.raises(CannotSeeError, match="clean up there"):
        UNDOER.present(undo)


# -- clocks -----------------------------------------------------------------------------------


class Clock:
    """A service under libfaketime, started by the run."""

    def __init__(self, host: Host) -> None:
        self.port = free_port()
        address = f"127.0.0.1:{self.port}"
        self.target = target(
            sys.executable, "-c", CLOCK, str(self.port), clock=True, address=address
        )
        self.opener = host.opener(self.target)
        self.undo = self.opener.prepare()
        self.facts = self.opener.open(self.undo)
        self.path = Path(self.undo["clock_file"])

    def read(self) -> tuple[float, float]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
            wall, mono = one.makefile().read().split()
        return float(wall), float(mono)

    def ahead_s(self) -> float:
        return self.read()[0] - time.time()

    def close(self) -> None:
        UNDOER.revert(self.undo)


@pytest.fixture
def clock(host: Host, faketime: Path) -> Iterator[Clock]:
    made = Clock(host)
    yield made
    made.close()


def skew(offset: int) -> FaultSpec:
    return action("clock", "skew", offset=offset)


@pytest.mark.real
def test_the_process_sees_another_time_and_the_true_one_again(host: Host, clock: Clock) -> None:
    assert abs(clock.ahead_s()) < 5
    before = files_below(host.directory)
    fault = host.clock(skew(3_600_000), clock.target)
    undo = fault.prepare()
    assert (files_below(host.directory), UNDOER.present(undo)) == (before, False)
    facts = fault.inject(undo)
    assert (facts["read_back"], facts["offset_ms"]) == (True, 3_600_000)
    assert abs(clock.ahead_s() - 3600) < 5
    assert UNDOER.present(undo)
    elsewhere(undo, "r.revert(u); assert not r.present(u)", host.directory)
    assert abs(clock.ahead_s()) < 5
    assert UNDOER.revert(undo) == {"written": False}
    assert not UNDOER.present(undo)


@pytest.mark.real
def test_a_static_program_that_cannot_be_fooled_is_refused_and_ended(
    host: Host, faketime: Path, real_server: Callable[..., str]
) -> None:
    busybox = real_server("busybox")
    with Path(busybox).open("rb") as file:
        if b"/ld-linux" in file.read(8192):
            pytest.skip("the busybox here is not a static program")
    ref = ProcessRef(start=(busybox, "sleep", "120"), clock=True)
    opener = HostTarget(host.directory, RUN, Target(name="t", process=ref), commands=(busybox,))
    undo = opener.prepare()
    with pytest.raises(AdapterError, match="does not use the C library"):
        opener.open(undo)
    UNDOER.revert(undo)
    assert host.ours() == []


@pytest.mark.real
def test_the_monotonic_clock_stays_true(host: Host, clock: Clock) -> None:
    fault = host.clock(skew(-86_400_000), clock.target)
    undo = fault.prepare()
    before = clock.read()[1]
    fault.inject(undo)
    wall, mono = clock.read()
    assert abs(wall - time.time() + 86_400) < 5
    assert 0 <= mono - before < 60
    UNDOER.revert(undo)


@pytest.mark.real
def test_a_skew_can_be_changed_while_it_is_in(host: Host, clock: Clock) -> None:
    first = host.clock(skew(60_000), clock.target)
    undo = first.prepare()
    first.inject(undo)
    host.clock(skew(7_200_000), clock.target).inject(undo)
    assert abs(clock.ahead_s() - 7_200) < 5
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert abs(clock.ahead_s()) < 5


@pytest.mark.real
def test_a_process_that_ended_leaves_its_file_in_order(host: Host, clock: Clock) -> None:
    fault = host.clock(skew(60_000), clock.target)
    undo = fault.prepare()
    fault.inject(undo)
    clock.close()
    assert not UNDOER.present(undo)  # the file went with the process
    assert UNDOER.revert(undo) == {"gone": True}
    assert host.notes() == []


@pytest.mark.real
def test_a_killed_clock_comes_back_under_its_clock(host: Host, clock: Clock) -> None:
    fault = host.fault(KILL, clock.target)
    undo = fault.prepare()
    fault.inject(undo)
    UNDOER.revert(undo)
    skewed = host.clock(skew(60_000), clock.target)
    record = skewed.prepare()
    wait(lambda: _answers(clock))
    skewed.inject(record)
    assert abs(clock.ahead_s() - 60) < 5
    UNDOER.revert(record)


def _answers(clock: Clock) -> bool:
    with suppress(OSError):
        clock.read()
        return True
    return False


@pytest.mark.real
def test_whether_sleeping_works_under_this_library_is_said(
    host: Host, clock: Clock, faketime: Path
) -> None:
    environment = {
        "LD_PRELOAD": str(faketime),
        "FAKETIME_TIMESTAMP_FILE": str(clock.path),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-c", "import time; time.sleep(0.001)"],
        env=environment, capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    assert clock.facts["monotonic_sleep"] in (None, ended.returncode == 0)  # None: too busy


def _environment(path: Path, **changes: str) -> dict[str, str]:
    preload = str(library())
    return {
        "LD_PRELOAD": preload, "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", **changes,
    }  # fmt: skip


def _named(host: Host, environment: dict[str, str]) -> Target:
    process = host.spawn("sleep", "120", env=environment)
    host.name(process.pid)
    wait(lambda: state(process.pid) == "S")
    return Target(name="t", process=ProcessRef(pidfile="service.pid", clock_file="clock"))


@pytest.mark.real
def test_a_process_started_by_others_under_a_clock_file(host: Host, faketime: Path) -> None:
    path = host.directory / "clock"
    path.write_text("+0\n")
    path.chmod(0o644)
    named = _named(host, _environment(path))
    unnamed = Target(name="t", process=ProcessRef(clock_file="clock"))
    for found in (named, unnamed):
        fault = host.clock(skew(1_500), found)
        undo = fault.prepare()
        assert undo["facts"]["processes"] == 1
        fault.inject(undo)
        assert keep(path).data == b"+1.500\n"
        assert keep(path).mode == 0o644
        assert UNDOER.revert(undo) == {"written": True}
        assert keep(path).data == b"+0\n"


@pytest.mark.real
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"LD_PRELOAD": ""}, "it was not started with libfaketime"),
        ({"FAKETIME_TIMESTAMP_FILE": "/elsewhere"}, "is `/elsewhere`"),
        ({"FAKETIME_NO_CACHE": "0"}, "would notice late"),
    ],
)
def test_a_process_whose_clock_does_not_follow_is_refused(
    host: Host, faketime: Path, changes: dict[str, str], words: str
) -> None:
    path = host.directory / "clock"
    path.write_text("+0\n")
    with pytest.raises(NoEffectError, match=words):
        host.clock(skew(1_000), _named(host, _environment(path, **changes))).prepare()


def test_a_clock_is_put_back_on_a_full_disk(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = host.directory / "clock"
    path.write_text("+3600.000\n")
    undo: Undo = {
        "kind": "host", "mode": "clock", "directory": str(host.directory), "run": RUN,
        "fault": "f", "target": "t", "path": str(path), "before": "+0\n",
    }  # fmt: skip
    full_disk(monkeypatch)
    assert UNDOER.revert(undo) == {"written": True}
    assert path.read_text() == "+0\n"
    assert not UNDOER.present(undo)


@pytest.mark.parametrize("text", ["+1h", "@2020-01-01 00:00:00", "", "x", "+00001", "-0.1"])
def test_a_file_that_does_not_say_the_true_time_is_refused(host: Host, text: str) -> None:
    (host.directory / "clock").write_text(text)
    unnamed = Target(name="t", process=ProcessRef(clock_file="clock"))
    with pytest.raises(NoEffectError, match="has to hold `\\+0`"):
        host.clock(skew(1_000), unnamed).prepare()


@pytest.mark.parametrize(
    ("process", "words"),
    [
        (ProcessRef(clock_file="/etc/hostname"), "outside of the project"),
        (ProcessRef(clock_file="../x"), "outside of the project"),
        (ProcessRef(clock_file="none"), "cannot be read"),
        (ProcessRef(clock_file="clock"), "no process runs under the clock file"),
        (ProcessRef(pidfile="service.pid"), "has no clock that can be changed"),
    ],
)
def test_a_target_without_a_usable_clock_is_refused(
    host: Host, process: ProcessRef, words: str
) -> None:
    host.sleeper()
    (host.directory / "clock").write_text("+0\n")
    with pytest.raises(NoEffectError, match=words):
        host.clock(skew(1_000), Target(name="t", process=process)).prepare()


@pytest.mark.parametrize(
    ("offset", "text"),
    [(0, b"+0.000\n"), (1, b"+0.001\n"), (-300_000, b"-300.000\n"), (3_600_500, b"+3600.500\n")],
)
def test_offsets_are_written_with_their_sign(offset: int, text: bytes) -> None:
    assert offset_text(offset) == text


def test_without_the_library_a_clock_is_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.host.faketime.library", lambda: None)
    with pytest.raises(NoEffectError, match="apt-get install libfaketime"):
        host.opener(target(clock=True)).prepare()


def test_a_clock_file_that_cannot_be_read_is_not_taken_for_true(host: Host) -> None:
    undo: Undo = {
        "kind": "host", "mode": "clock", "directory": str(host.directory), "run": RUN,
        "fault": "f", "target": "t", "path": str(host.directory), "before": "+0\n",
    }  # fmt: skip
    check: Callable[[Undo], object] = UNDOER.present
    with pytest.raises(CannotSeeError, match="cannot be read"):
        check(undo)
    with pytest.raises(AdapterError, match="cannot be put back"):
        UNDOER.revert(undo)
