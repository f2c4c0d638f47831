"""What the faults on processes of this host keep to, on real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from host_support import (
    KILL,
    RUN,
    STOP,
    Host,
    action,
    awake,
    children,
    elsewhere,
    files_below,
    full_disk,
    hosting,
    running,
    state,
    wait,
)

from gameday.adapters.host import service as service_module
from gameday.adapters.host import undo as undo_module
from gameday.adapters.host.lease import recover_target
from gameday.adapters.host.notes import TURN_S
from gameday.adapters.host.started import HostTarget
from gameday.adapters.host.undo import UNDOER
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.model.project import ProcessRef, Target
from gameday.model.scenario import FaultSpec


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


# -- prepare ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [STOP, KILL], ids=["stop", "kill"])
def test_prepare_changes_nothing(host: Host, spec: FaultSpec) -> None:
    process = host.sleeper()
    fault = host.fault(spec)
    before = files_below(host.directory)
    undo = fault.prepare()
    assert files_below(host.directory) == before
    assert awake(process.pid)
    assert not UNDOER.present(undo)
    assert json.loads(json.dumps(undo)) == undo
    assert undo["target"] == "t"


def test_revert_before_inject_changes_nothing(host: Host) -> None:
    process = host.sleeper()
    for spec in (STOP, KILL):
        UNDOER.revert(host.fault(spec).prepare())
    assert awake(process.pid)
    assert host.named() == process.pid


def test_a_process_that_is_stopped_already_is_refused(host: Host) -> None:
    process = host.sleeper()
    process.send_signal(signal.SIGSTOP)
    wait(lambda: state(process.pid) == "T")
    with pytest.raises(NoEffectError, match="is stopped already"):
        host.fault(STOP).prepare()


def test_a_process_stopped_by_others_since_prepare_is_left_alone(host: Host) -> None:
    process = host.sleeper()
    fault = host.fault(STOP)
    undo = fault.prepare()
    process.send_signal(signal.SIGSTOP)
    wait(lambda: state(process.pid) == "T")
    with pytest.raises(NoEffectError, match="is stopped already"):
        fault.inject(undo)
    assert host.notes() == []


@pytest.mark.parametrize("who", ["first", "own", "parent", "kernel"])
def test_the_first_process_and_our_own_line_are_refused(host: Host, who: str) -> None:
    pid = {"first": 1, "own": os.getpid(), "parent": os.getppid(), "kernel": 2}[who]
    if state(pid) == "-":
        pytest.skip(f"process {pid} is not in this number space")
    host.name(pid)
    with pytest.raises(NoEffectError, match=r"leads to process \d+"):
        host.fault(STOP).prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_another_user_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.sleeper()
    fault = host.fault(STOP)

    def forbidden(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", forbidden)
    with pytest.raises(NoEffectError, match="belongs to another user"):
        fault.prepare()


def test_a_stale_pidfile_is_refused(host: Host) -> None:
    process = host.sleeper()
    process.kill()
    process.wait()
    with pytest.raises(NoEffectError, match="which does not run"):
        host.fault(STOP).prepare()


def test_a_pidfile_older_than_the_process_with_its_number_is_refused(host: Host) -> None:
    host.sleeper()
    os.utime(host.pidfile, (1, 1))
    with pytest.raises(NoEffectError, match="is older than the process"):
        host.fault(STOP).prepare()


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "1.5", "\0"])
def test_a_pidfile_without_a_number_is_refused(host: Host, text: str) -> None:
    host.pidfile.write_text(text)
    with pytest.raises(NoEffectError, match="should hold the number of a process"):
        host.fault(STOP).prepare()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(name="t"), "has no `process`"),
        (Target(name="t", process=ProcessRef(restart=("true",))), "names no process"),
        (Target(name="t", process=ProcessRef(pidfile="none.pid")), "cannot be read"),
    ],
)
def test_a_target_without_a_process_is_refused(host: Host, target: Target, words: str) -> None:
    with pytest.raises(NoEffectError, match=words):
        host.fault(STOP, target).prepare()


@pytest.mark.parametrize(
    ("restart", "words"),
    [
        ((), "has no `restart`"),
        (("sleep", "1"), "which is not allowed; allowed are: `/"),
        (("/nowhere/at-all",), "there is no program"),
        (("./service.py",), "there is no program"),  # not executable
    ],
)
def test_a_kill_without_an_allowed_restart_is_refused(
    host: Host, restart: tuple[str, ...], words: str
) -> None:
    process = host.sleeper()
    with pytest.raises(NoEffectError, match=words):
        host.fault(KILL, host.target(restart=restart)).prepare()
    assert running(process.pid)


def test_connections_of_the_process_and_its_children_are_counted(host: Host) -> None:
    code = (
        "import os, socket, sys, time\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\n"
        "if os.fork(): s.close()\n"
        "else: kept = [s.accept()[0] for _ in range(3)]\n"
        "time.sleep(120)\n"
    )
    process = host.spawn(sys.executable, "-c", code)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    host.name(process.pid)
    fault = host.fault(STOP)
    wait(lambda: fault.prepare()["facts"].get("connections") == 0)
    with (
        socket.create_connection(("127.0.0.1", port)),
        socket.create_connection(("127.0.0.1", port)),
    ):
        # both ends are on this host, and both are on that port: one as local, one as remote
        assert fault.prepare()["facts"]["connections"] == 2
        undo = fault.prepare()
        assert fault.inject(undo)["connections"] == 2
        UNDOER.revert(undo)


def test_a_process_that_does_not_listen_has_no_count(host: Host) -> None:
    host.sleeper()
    assert "connections" not in host.fault(STOP).prepare()["facts"]


# -- stop -------------------------------------------------------------------------------------


def test_stop_stops_the_process_with_its_descendants(host: Host) -> None:
    process = host.forking()
    everybody = [process.pid, *children(process.pid)]
    assert len(everybody) == 5
    fault = host.fault(STOP)
    undo = fault.prepare()
    facts = fault.inject(undo)
    assert (facts["read_back"], facts["stopped"]) == (True, 5)
    assert {state(pid) for pid in everybody} == {"T"}
    assert UNDOER.present(undo)
    assert UNDOER.revert(undo)["continued"] == 5
    assert not UNDOER.present(undo)
    assert awake(*everybody)
    assert host.notes() == []


def test_the_note_is_there_before_anything_is_stopped(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = host.sleeper()
    fault = host.fault(STOP)
    undo = fault.prepare()
    (host.directory / ".gameday").mkdir()
    (host.directory / ".gameday").joinpath("host").write_text("in the way")
    with pytest.raises(NoEffectError, match="without it nothing is broken"):
        fault.inject(undo)
    assert awake(process.pid)


def test_reverting_twice_is_fine(host: Host) -> None:
    host.sleeper()
    fault = host.fault(STOP)
    undo = fault.prepare()
    fault.inject(undo)
    UNDOER.revert(undo)
    assert UNDOER.revert(undo) == {"continued": 0}


@pytest.mark.parametrize("spec", [STOP, KILL], ids=["stop", "kill"])
def test_revert_works_from_the_record_in_another_process(host: Host, spec: FaultSpec) -> None:
    process = host.sleeper()
    fault = host.fault(spec)
    undo = fault.prepare()
    fault.inject(undo)
    elsewhere(undo, "assert r.present(u); r.revert(u); assert not r.present(u)", host.directory)
    assert not UNDOER.present(undo)
    assert awake(host.named())
    assert (host.named() == process.pid) is (spec is STOP)


@pytest.mark.parametrize("signals", range(6))
def test_an_inject_cut_off_anywhere_is_seen_and_undone(
    host: Host, monkeypatch: pytest.MonkeyPatch, signals: int
) -> None:
    """After 0, 1, 2 ... signals: as if the runner had died there. The journal alone is left."""
    process = host.forking()
    everybody = [process.pid, *children(process.pid)]
    fault = host.fault(STOP)
    undo = fault.prepare()
    sent = []
    real = signal.pidfd_send_signal

    def dying(handle: int, number: int, *rest: Any) -> None:
        if len(sent) >= signals:
            raise RuntimeError("the runner died here")
        sent.append(number)
        real(handle, number, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(signal, "pidfd_send_signal", dying)
        with suppress(RuntimeError):
            fault.inject(undo)
    for path in (host.directory / ".gameday" / "host").glob("*.json"):
        path.unlink()
    wait(lambda: sum(state(p) == "T" for p in everybody) == min(signals, 5))
    assert UNDOER.present(undo) is (signals > 0)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert awake(*everybody)


def test_children_that_were_stopped_before_stay_so(host: Host) -> None:
    process = host.forking()
    child = children(process.pid)[0]
    os.kill(child, signal.SIGSTOP)
    wait(lambda: state(child) == "T")
    fault = host.fault(STOP)
    undo = fault.prepare()
    assert not UNDOER.present(undo)
    fault.inject(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert state(child) == "T"
    assert awake(process.pid)


def test_children_forked_since_prepare_are_stopped_and_continued(host: Host) -> None:
    code = "import os, sys, time; sys.stdin.read(1); os.fork(); os.fork(); time.sleep(120)"
    read, write = os.pipe()
    process = host.spawn(sys.executable, "-c", code, stdin=read)
    os.close(read)
    host.name(process.pid)
    fault = host.fault(STOP)
    undo = fault.prepare()
    assert len(undo["processes"]) == 1
    os.write(write, b"x")
    os.close(write)
    wait(lambda: len(children(process.pid)) == 3)
    everybody = [process.pid, *children(process.pid)]
    assert fault.inject(undo)["stopped"] == 4
    os.kill(process.pid, signal.SIGKILL)  # the others are orphans now; the record knew only it
    wait(lambda: not running(process.pid))
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert not UNDOER.present(undo)
    assert awake(*everybody[1:])


def test_a_stopped_process_that_has_ended_is_no_debt(host: Host) -> None:
    process = host.sleeper()
    fault = host.fault(STOP)
    undo = fault.prepare()
    fault.inject(undo)
    process.kill()
    process.wait()
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"continued": 0, "gone": True}
    assert host.notes() == []


def test_a_process_replaced_by_its_supervisor_is_never_touched(host: Host) -> None:
    first = host.sleeper()
    fault = host.fault(STOP)
    undo = fault.prepare()
    fault.inject(undo)
    first.kill()
    first.wait()
    second = host.sleeper()
    second.send_signal(signal.SIGSTOP)  # by somebody else
    wait(lambda: state(second.pid) == "T")
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo)["gone"]
    assert state(second.pid) == "T"


def test_a_number_that_was_given_to_another_process_is_never_signalled(host: Host) -> None:
    process = host.sleeper()
    fault = host.fault(STOP)
    undo = json.loads(json.dumps(fault.prepare()))
    for identity in (undo["root"], *undo["processes"]):
        identity["start_ticks"] -= 1  # as if this number had meant another process
    process.send_signal(signal.SIGSTOP)
    wait(lambda: state(process.pid) == "T")
    assert not UNDOER.present(undo)
    UNDOER.revert(undo)
    assert state(process.pid) == "T"
    process.send_signal(signal.SIGCONT)
    with pytest.raises(NoEffectError, match="was replaced since"):
        fault.inject(undo)
    assert state(process.pid) != "T"


@pytest.mark.parametrize("spec", [STOP, KILL], ids=["stop", "kill"])
def test_a_pidfile_rewritten_since_prepare_is_not_followed(host: Host, spec: FaultSpec) -> None:
    first = host.sleeper()
    fault = host.fault(spec)
    undo = fault.prepare()
    second = host.sleeper()
    with pytest.raises(NoEffectError, match=f"it was {first.pid}, now it is {second.pid}"):
        fault.inject(undo)
    assert awake(first.pid, second.pid)
    assert host.notes() == []


def test_processes_of_another_host_cannot_be_seen(host: Host) -> None:
    host.sleeper()
    for spec in (STOP, KILL):
        undo = host.fault(spec).prepare()
        undo = {**undo, "by": {**undo["by"], "host": "elsewhere"}}
        with pytest.raises(CannotSeeError, match="on host `elsewhere`"):
            UNDOER.present(undo)
        with pytest.raises(AdapterError, match="on host `elsewhere`"):
            UNDOER.revert(undo)


def test_after_a_restart_of_the_machine_nothing_is_stopped(host: Host) -> None:
    host.sleeper()
    undo = json.loads(json.dumps(host.fault(STOP).prepare()))
    for identity in (undo["by"], undo["root"], *undo["processes"]):
        identity["boot"] = "another"
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"continued": 0, "gone": True}


# -- kill -------------------------------------------------------------------------------------


def test_kill_ends_the_process_and_revert_restarts_it(host: Host) -> None:
    process = host.sleeper()
    fault = host.fault(KILL)
    undo = fault.prepare()
    facts = fault.inject(undo)
    assert (facts["read_back"], facts["signal"], facts["pid"]) == (True, "KILL", process.pid)
    assert process.wait(5) == -signal.SIGKILL
    assert UNDOER.present(undo)
    reverted = UNDOER.revert(undo)
    assert reverted == {"pid": host.named(), "restarted": True}
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"pid": host.named(), "restarted": False}
    assert os.getsid(host.named()) == host.named()  # a session of its own: it outlives us
    assert host.notes() == []


@pytest.mark.parametrize(("name", "number"), [("TERM", 15), ("INT", 2), ("QUIT", 3), ("HUP", 1)])
def test_other_signals(host: Host, name: str, number: int) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # under `nohup` children would ignore SIGHUP
    try:
        process = host.sleeper()
    finally:
        signal.signal(number, before)
    fault = host.fault(action("process", "kill", signal=name))
    fault.inject(fault.prepare())
    assert process.wait(5) == -number


def test_a_signal_that_does_not_end_the_process_leaves_it_in_doubt(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.adapters.host.process.KILL_S", 0.3)
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(99)"
    )
    process = host.spawn(sys.executable, "-c", code)
    assert process.stdout is not None
    process.stdout.readline()
    host.name(process.pid)
    fault = host.fault(action("process", "kill", signal="TERM"))
    undo = fault.prepare()
    with pytest.raises(AdapterError, match="still runs") as caught:
        fault.inject(undo)
    assert not isinstance(caught.value, NoEffectError)
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {}
    assert host.named() == process.pid


def test_a_supervisor_that_was_quicker_is_left_its_process(host: Host) -> None:
    host.sleeper()
    fault = host.fault(KILL)
    undo = fault.prepare()
    fault.inject(undo)
    second = host.sleeper()
    assert not UNDOER.present(undo)
    assert UNDOER.revert(undo) == {"pid": second.pid, "restarted": False}


def test_a_stale_pidfile_does_not_pass_for_a_restart(host: Host) -> None:
    """The number of the killed process was given to another one, which was started later."""
    process = host.sleeper()
    fault = host.fault(KILL)
    undo = json.loads(json.dumps(fault.prepare()))
    fault.inject(undo)
    process.wait()
    other = host.spawn("sleep", "120")
    host.name(other.pid)
    os.utime(host.pidfile, (1, 1))
    assert UNDOER.present(undo)
    UNDOER.revert(undo)
    assert host.named() != other.pid
    assert running(other.pid)


def test_a_restart_that_fails_says_so_and_is_tried_again(host: Host) -> None:
    host.sleeper()
    target = host.target(restart=(sys.executable, "-c", "import sys; sys.exit('no licence')"))
    fault = host.fault(KILL, target)
    undo = fault.prepare()
    fault.inject(undo)
    for _ in range(2):  # and only what this attempt said
        with pytest.raises(AdapterError, match=r"ended with 1: no licence$"):
            UNDOER.revert(undo)
        assert UNDOER.present(undo)
    assert host.notes() == ["undo-run-1-f.json"]


def test_a_slow_restart_is_waited_for_and_not_doubled(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_module, "RESTART_S", 0.2)
    host.sleeper()
    code = (
        "import os, sys, time\n"
        "open('starts', 'a').write('x')\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "exec(open('service.py').read())\n"
    )
    target = host.target(restart=(sys.executable, "-c", code, "service.pid"))
    fault = host.fault(KILL, target)
    undo = fault.prepare()
    fault.inject(undo)
    for _ in range(3):
        with pytest.raises(AdapterError, match="is not back yet"):
            UNDOER.revert(undo)
    (host.directory / "go").touch()
    monkeypatch.setattr(undo_module, "RESTART_S", 8.0)
    assert UNDOER.revert(undo)["pid"] == host.named()
    assert not UNDOER.present(undo)
    assert (host.directory / "starts").read_text() == "x"


def test_what_a_slow_restart_says_is_shown_without_what_others_said_before(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.sleeper()
    code = (
        "import os, sys, time\n"
        "if not os.path.exists('starts'): open('starts', 'w'); sys.exit('the first')\n"
        "print('the second', flush=True)\n"
        "open('starts', 'w').write('x')\n"
        "time.sleep(120)\n"
    )
    undo = host.fault(KILL, host.target(restart=(sys.executable, "-c", code))).prepare()
    host.fault(KILL, host.target(restart=(sys.executable, "-c", code))).inject(undo)
    with pytest.raises(AdapterError, match=r"ended with 1: the first$"):
        UNDOER.revert(undo)
    monkeypatch.setattr(undo_module, "RESTART_S", 0.2)
    with pytest.raises(AdapterError, match="is not back yet"):
        UNDOER.revert(undo)
    wait(lambda: (host.directory / "starts").read_text() == "x")
    with pytest.raises(AdapterError, match="is not back yet") as error:
        UNDOER.revert(undo)
    assert "the second" in str(error.value)
    assert "the first" not in str(error.value)


def test_a_restart_that_hangs_is_ended_and_tried_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_module, "RESTART_S", 0.2)
    host.sleeper()
    code = (
        "import os, sys, time\n"
        "first = not os.path.exists('starts')\n"
        "open('starts', 'a').write(f'{os.getpid()}\\n')\n"
        "if first: time.sleep(120)\n"
        "exec(open('service.py').read())\n"
    )
    target = host.target(restart=(sys.executable, "-c", code, "service.pid"))
    fault = host.fault(KILL, target)
    undo = fault.prepare()
    fault.inject(undo)
    with pytest.raises(AdapterError, match="is not back yet"):
        UNDOER.revert(undo)
    wait((host.directory / "starts").exists)
    monkeypatch.setattr(service_module, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(undo_module, "RESTART_S", 8.0)
    assert UNDOER.revert(undo)["restarted"]
    hung, started = map(int, (host.directory / "starts").read_text().split())
    wait(lambda: not running(hung))
    assert running(started)


@pytest.mark.parametrize("spec", [STOP, KILL], ids=["stop", "kill"])
def test_on_a_full_disk_it_goes_out_all_the_same(
    host: Host, monkeypatch: pytest.MonkeyPatch, spec: FaultSpec
) -> None:
    code = "import time; time.sleep(120)"  # a service that writes nothing
    mine = Target(name="t", process=ProcessRef(start=(sys.executable, "-c", code)))
    opener = HostTarget(host.directory, RUN, mine, commands=(sys.executable,))
    opened = opener.prepare()
    opener.open(opened)
    fault = host.fault(spec, mine)
    undo = fault.prepare()
    fault.inject(undo)
    with monkeypatch.context() as patched:
        full_disk(patched)
        UNDOER.revert(undo)
        assert not UNDOER.present(undo)
    assert awake(*host.ours())
    UNDOER.revert(opened)
    assert host.ours() == []


@pytest.mark.parametrize("spec", [STOP, KILL], ids=["stop", "kill"])
def test_on_a_full_disk_nothing_is_broken(
    host: Host, monkeypatch: pytest.MonkeyPatch, spec: FaultSpec
) -> None:
    process = host.sleeper()
    fault = host.fault(spec)
    undo = fault.prepare()
    with monkeypatch.context() as patched:
        full_disk(patched)
        with pytest.raises(NoEffectError, match=r"No space left.*nothing is broken"):
            fault.inject(undo)
    assert awake(process.pid)


def test_two_reverts_at_the_same_time_restart_it_once(host: Host) -> None:
    host.sleeper()
    code = "open('starts', 'a').write('x'); exec(open('service.py').read())"
    target = host.target(restart=(sys.executable, "-c", code, "service.pid"))
    fault = host.fault(KILL, target)
    undo = fault.prepare()
    fault.inject(undo)

    refused: list[str] = []

    def revert() -> None:
        try:
            UNDOER.revert(undo)
        except AdapterError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=revert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    UNDOER.revert(undo)
    assert (host.directory / "starts").read_text() == "x"
    assert all("another call" in text for text in refused)


def test_a_restarted_service_sees_little_of_our_environment(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_TEST_SECRET", "hunter22")
    host.sleeper()
    fault = host.fault(KILL)
    undo = fault.prepare()
    fault.inject(undo)
    UNDOER.revert(undo)
    environment = Path(f"/proc/{host.named()}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"hunter22" not in environment


def test_a_process_that_ended_before_the_kill_is_owed_its_restart_all_the_same(
    host: Host,
) -> None:
    """Nobody can tell afterwards who ended it; it ran when the run looked at it."""
    process = host.sleeper()
    fault = host.fault(KILL)
    undo = fault.prepare()
    process.kill()
    process.wait()
    with pytest.raises(NoEffectError, match="does not run"):
        fault.inject(undo)
    assert UNDOER.present(undo)
    assert UNDOER.revert(undo)["restarted"]
    assert not UNDOER.present(undo)


# -- without a journal ------------------------------------------------------------------------


def test_recovery_needs_only_the_project(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo_module, "RESTART_S", 0.5)
    first, second = host.forking(), host.spawn("sleep", "120")
    (host.directory / "other.pid").write_text(str(second.pid))
    other = replace(host.target(pidfile="other.pid"), name="u")
    for spec, target in ((STOP, host.target()), (replace(KILL, id="g"), other)):
        fault = host.fault(spec, target)
        fault.inject(fault.prepare())
    assert host.notes() == ["undo-run-1-f.json", "undo-run-1-g.json"]
    # `other` is restarted by a command that writes service.pid: it is not back, and that is said
    report = recover_target(host.directory)
    assert any("took fault `f`" in line for line in report.lines)
    assert report.dirty == ("fault `g` of run `run-1`",)
    assert awake(first.pid)
    third = host.spawn("sleep", "120")
    (host.directory / "other.pid").write_text(str(third.pid))
    assert recover_target(host.directory).clean
    assert host.notes() == []
    assert recover_target(host.directory).lines == ("nothing of gameday was there",)


def test_recovery_names_what_it_cannot_read_and_what_is_elsewhere(host: Host) -> None:
    host.sleeper()
    fault = host.fault(STOP)
    undo = fault.prepare()
    fault.inject(undo)
    path = host.directory / ".gameday" / "host" / "undo-run-1-f.json"
    note = json.loads(path.read_text())
    note["undo"]["by"]["host"] = "elsewhere"
    path.write_text(json.dumps(note))
    broken = path.with_name("undo-x.json")
    broken.write_text("{")
    broken.chmod(0o600)
    report = recover_target(host.directory)
    assert len(report.dirty) == 2
    assert any("on host `elsewhere`" in line for line in report.lines)
    broken.unlink()
    report = recover_target(host.directory, force=True)
    assert report.clean
    assert "dropped the note" in report.lines[0]
    note["undo"] = {"kind": "unheard-of", "run": "r", "fault": "f", "target": "t"}
    path.write_text(json.dumps(note))
    path.chmod(0o600)
    assert recover_target(host.directory).dirty
    UNDOER.revert(undo)


def test_calls_end_in_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here can hang, but a restart may never lead to anything."""
    longest = TURN_S + max(undo_module.RESTART_S, undo_module.CONTINUE_S)
    assert longest < 9
    monkeypatch.setattr(undo_module, "RESTART_S", 0.5)
    host.sleeper()
    target = host.target(restart=("sleep", "120"))
    fault = host.fault(KILL, target)
    monkeypatch.setattr(fault, "_commands", ("sleep",))
    undo = fault.prepare()
    fault.inject(undo)
    began = time.monotonic()
    with pytest.raises(AdapterError, match="is not back yet"):
        UNDOER.revert(undo)
    assert UNDOER.present(undo)
    assert time.monotonic() - began < 8
