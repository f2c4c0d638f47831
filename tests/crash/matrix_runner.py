"""`gameday run` in a process that does something to itself at a chosen moment.

`python matrix_runner.py DEED RUN-ARGUMENTS…`, where DEED is JSON:

    {"at": N, "signal": "KILL"}   right after the N-th action line is in the journal, this signal;
                                  with "sentinel": true the sentinel is killed before
    {"at": N, "disk": "full"}     the journal cannot be written from the N-th action line on
    {"call": NAME, "raise": "before" or "after"}   this adapter call fails as no adapter should
    {}                            nothing; the run is played as it is

SIGKILL goes to the whole process group, as when a CI job is killed.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from gameday import cli
from gameday.journal import Journal
from gameday.model.event import ACTION_KINDS, Event
from gameday.processes import gone_within, kill
from gameday.sentinel import owner

#: Adapter calls that can be made to fail, with where they are.
CALLS = {
    "toxiproxy.prepare": "gameday.adapters.toxiproxy.fault:ToxiproxyFault.prepare",
    "toxiproxy.inject": "gameday.adapters.toxiproxy.fault:ToxiproxyFault.inject",
    "toxiproxy.revert": "gameday.adapters.toxiproxy.undo:ToxiproxyUndoer.revert",
    "toxiproxy.present": "gameday.adapters.toxiproxy.undo:ToxiproxyUndoer.present",
    "toxiproxy.open": "gameday.adapters.toxiproxy.fault:TargetProxy.open",
    "toxiproxy.renew": "gameday.adapters.toxiproxy.lease:Lease.renew",
    "docker.prepare": "gameday.adapters.docker.fault:ContainerFault.prepare",
    "docker.inject": "gameday.adapters.docker.fault:ContainerFault.inject",
    "docker.revert": "gameday.adapters.docker.undo:DockerUndoer.revert",
    "docker.present": "gameday.adapters.docker.undo:DockerUndoer.present",
    "load.start": "gameday.adapters.locust.driver:LocustLoad.start",
    "load.edge": "gameday.adapters.locust.driver:LocustLoad.edge",
    "load.stop": "gameday.adapters.locust.driver:LocustLoad.stop",
    "alerts.read": "gameday.adapters.builtin_alerts:BuiltinAlerts.read",
    "alerts.see": "gameday.adapters.builtin_alerts:BuiltinAlerts.see",
    "receiver.start": "gameday.adapters.receiver:Receiver.start",
    "receiver.stop": "gameday.adapters.receiver:Receiver.stop",
    "probe.start": "gameday.adapters.probe:ProbeWatcher.start",
    "probe.stop": "gameday.adapters.probe:ProbeWatcher.stop",
}


class Broken(Exception):  # noqa: N818 - it stands for a bug, and no adapter knows it
    """What an adapter must never raise."""


def _at_line(number: int, deed: dict[str, Any]) -> None:
    """Do the deed when the *number*-th action line has been written."""
    append = Journal.append
    seen = 0

    def counted(self: Journal, event: Event, *, sync: bool = False) -> None:
        nonlocal seen
        if event.kind in ACTION_KINDS:
            seen += 1
        if "disk" in deed and seen >= number:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, event, sync=sync)
        if "signal" in deed and seen == number and event.kind in ACTION_KINDS:
            if deed.get("sentinel"):
                kill_sentinel()
            hit(deed["signal"])

    Journal.append = counted  # type: ignore[method-assign]


def kill_sentinel() -> None:
    """End it as the kernel would, and wait until it is gone."""
    run_dir = next(p.parent for p in Path("reports").glob("*/owner.jsonl"))
    found = owner.read(run_dir).sentinel
    if found is not None:
        kill(found)
        assert gone_within(found, 5.0)


def hit(name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    sys.stderr.write(f"hit {name}\n")
    sys.stderr.flush()
    if name == "KILL":
        os.killpg(os.getpid(), number)
    os.kill(os.getpid(), number)


def _break(call: str, when: str) -> None:
    """Let the first use of an adapter's call fail, before or after it did its work."""
    module, _, path = CALLS[call].partition(":")
    owner, _, method = path.partition(".")
    cls = getattr(importlib.import_module(module), owner)
    whole = getattr(cls, method)
    used = False

    def broken(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal used
        if used:
            return whole(self, *args, **more)
        used = True
        if when == "after":
            whole(self, *args, **more)
        sys.stderr.write(f"broke {call}\n")
        sys.stderr.flush()
        raise Broken(f"{call}, {when} its work")

    setattr(cls, method, broken)


def main(arguments: list[str]) -> int | None:
    deed = json.loads(arguments[0])
    if "at" in deed:
        _at_line(int(deed["at"]), deed)
    if "call" in deed:
        _break(deed["call"], deed["raise"])
    sys.argv = ["gameday", *arguments[1:]]
    return cli.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
