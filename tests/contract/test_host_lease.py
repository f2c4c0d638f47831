"""The lease on targets of this host: one run at a time, also while a dead one is cleaned up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from host_support import KILL, STOP, Host, hosting, state, wait

from gameday.adapters.host.lease import HostLease, lock_names, recover_target
from gameday.adapters.host.undo import UNDOER
from gameday.errors import RefusedError
from gameday.model.project import CertificateRef, ProcessRef, Target
from gameday.processes import own_identity

HOLDER = """
import sys; from pathlib import Path
from gameday.adapters.host.lease import HostLease
from gameday.model.project import ProcessRef, Target
target = Target(name="t", process=ProcessRef(pidfile="service.pid"))
lease = HostLease(Path(sys.argv[1]), "other", target)
lease.take()
print(lease.fileno(), flush=True)
"""
WAITS = "sys.stdin.read()\n"
#: Hands the lease to a child, as a runner does to its sentinel, and dies.
DIES = """
import os, subprocess
child = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=[lease.fileno()]
)
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


def holder(host: Host, rest: str) -> tuple[subprocess.Popen[bytes], int]:
    """Another process that holds the target, and the write end of what it waits for."""
    read, write = os.pipe()
    process = host.spawn(sys.executable, "-c", HOLDER + rest, str(host.directory), stdin=read)
    os.close(read)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process, write


def test_a_target_is_held_by_one_run_at_a_time(host: Host) -> None:
    process, write = holder(host, WAITS)
    mine = host.lease()
    try:
        with pytest.raises(RefusedError, match=r"held by run `other`.* and it renews that"):
            mine.take()
        with pytest.raises(RefusedError, match="held by run `other`"):
            recover_target(host.directory)
        assert mine.fileno() == -1
    finally:
        os.close(write)
    process.wait(10)
    with pytest.raises(RefusedError, match=r"left target `t` without.*gameday recover --target"):
        mine.take()
    assert recover_target(host.directory).lines == ("gave the lease of target `t` back",)
    mine.take()
    mine.release()


def test_it_goes_on_being_held_while_a_dead_run_is_cleaned_up(host: Host) -> None:
    process, write = holder(host, DIES)
    assert process.stdout is not None
    sentinel = int(process.stdout.readline())
    assert process.wait(10) == -9
    mine = host.lease()
    try:
        with pytest.raises(RefusedError, match=rf"cleans up after it \(process {sentinel}\)"):
            mine.take()
    finally:
        os.close(write)
    wait(lambda: state(sentinel) in "-ZX")
    recover_target(host.directory)
    mine.take()
    mine.release()


def test_take_renew_and_release(host: Host) -> None:
    lease = host.lease()
    undo = lease.take()
    assert json.loads(json.dumps(undo)) == undo == lease.undo
    assert UNDOER.present(undo)
    (path,) = (host.directory / ".gameday" / "host").glob("lease-*.json")
    before = json.loads(path.read_text())["lease"]
    assert (before["run"], before["owner"]) == ("run-1", own_identity())
    assert not os.get_inheritable(lease.fileno())
    wait(lambda: (lease.renew() or json.loads(path.read_text())["lease"]) != before)
    lease.take()
    lease.release()
    lease.release()
    assert not UNDOER.present(undo)
    assert lease.fileno() == -1


def test_a_note_that_was_lost_is_written_again(host: Host) -> None:
    lease = host.lease()
    undo = lease.take()
    for path in (host.directory / ".gameday" / "host").glob("lease-*.json"):
        path.unlink()
    assert not UNDOER.present(undo)
    lease.renew()
    assert UNDOER.present(undo)
    lease.release()


def test_renewing_says_when_another_run_has_taken_it(host: Host) -> None:
    lease = host.lease()
    lease.take()
    (path,) = (host.directory / ".gameday" / "host").glob("lease-*.json")
    note = json.loads(path.read_text())
    note["lease"]["run"] = "other"
    path.write_text(json.dumps(note))
    with pytest.raises(RefusedError, match="run `other`"):
        lease.renew()
    lease.release()
    assert path.exists()  # not ours to remove


def test_the_lease_of_a_run_elsewhere_holds_until_it_expires(host: Host) -> None:
    """Containers that share a folder do not share the names of sockets."""
    lease = host.lease()
    lease.take()
    (path,) = (host.directory / ".gameday" / "host").glob("lease-*.json")
    note = json.loads(path.read_text())
    note["lease"]["owner"]["host"] = "elsewhere"
    lease.release()
    path.write_text(json.dumps(note))
    path.chmod(0o600)
    mine = host.lease(run="mine")
    with pytest.raises(RefusedError, match=r"on host `elsewhere`.*--force`"):
        mine.take()
    with pytest.raises(RefusedError, match="on host `elsewhere`"):
        recover_target(host.directory)
    note["lease"]["expires_wall_ms"] = 1
    path.write_text(json.dumps(note))
    with pytest.raises(RefusedError, match="left target `t`"):
        mine.take()
    assert recover_target(host.directory).clean
    mine.take()
    mine.release()


def test_what_identifies_a_target_is_locked_not_its_name(host: Host, tmp_path: Path) -> None:
    certificate = CertificateRef(cert="c.pem", key="k.pem", endpoint="127.0.0.1:1")
    both = replace(host.target(), certificate=certificate)
    (host.directory / "link.pid").symlink_to("service.pid")
    linked = Target(name="x", process=ProcessRef(pidfile="link.pid"))
    tls = Target(name="y", certificate=certificate)
    lease = host.lease(both)
    lease.take()
    for other in (linked, tls):
        with pytest.raises(RefusedError, match="is held by process"):
            host.lease(other, run="other").take()
    free = host.lease(Target(name="z"), run="other")
    free.take()
    free.release()
    lease.release()
    for other in (linked, tls):
        again = host.lease(other)
        again.take()
        again.release()
    names = {*lock_names(tmp_path, Target(name="a")), *lock_names(tmp_path, Target(name="b"))}
    assert len(names) == 2


def test_one_descriptor_holds_everything_that_identifies_a_target(host: Host) -> None:
    """The runner dies; the copy of the one descriptor that it handed on is all that is left."""
    certificate = CertificateRef(cert="c.pem", key="k.pem", endpoint="127.0.0.1:1")
    lease = host.lease(replace(host.target(clock_file="clock"), certificate=certificate))
    lease.take()
    kept = os.dup(lease.fileno())
    lease.release()
    parts = [
        host.target(),
        Target(name="y", certificate=certificate),
        Target(name="z", process=ProcessRef(clock_file="clock")),
    ]
    for part in parts:
        with pytest.raises(RefusedError, match="is held by"):
            host.lease(part, run="other").take()
    os.close(kept)
    for part in parts:
        free = host.lease(part, run="other")
        wait(lambda free=free: _taken(free))
        free.release()


def _taken(lease: HostLease) -> bool:
    """The kernel may take a moment to collect what was in a queue."""
    with suppress(RefusedError):
        lease.take()
        return True
    return False


def test_a_refused_lease_leaves_nothing_held(host: Host) -> None:
    certificate = CertificateRef(cert="c.pem", key="k.pem", endpoint="127.0.0.1:1")
    first = host.lease(Target(name="y", certificate=certificate))
    first.take()
    second = host.lease(replace(host.target(), certificate=certificate), run="other")
    with pytest.raises(RefusedError):
        second.take()
    third = host.lease(run="third")
    third.take()
    third.release()
    first.release()


def test_recovery_with_force_cleans_up_over_a_runs_head(host: Host) -> None:
    process = host.sleeper()
    lease = HostLease(host.directory, "run-1", host.target())
    lease.take()
    fault = host.fault(STOP)
    fault.inject(fault.prepare())
    assert state(process.pid) == "T"
    report = recover_target(host.directory, force=True)
    assert report.clean
    assert state(process.pid) != "T"
    assert report.lines == (
        "took fault `f` of run `run-1` out",
        "gave the lease of target `t` back",
    )
    lease.release()


def test_the_lease_stays_while_something_is_dirty(host: Host) -> None:
    host.sleeper()
    lease = host.lease()
    lease.take()
    fault = host.fault(KILL, host.target(restart=(sys.executable, "-c", "raise SystemExit(1)")))
    undo = fault.prepare()
    fault.inject(undo)
    assert recover_target(host.directory, force=True).dirty
    assert UNDOER.present(lease.undo)
    lease.release()
