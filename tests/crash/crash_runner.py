"""A small runner in a process of its own: journal, sentinel, lease, target, fault. To be killed.

`python crash_runner.py RUN_DIR URL LISTEN UPSTREAM MODE`; it prints a word when it has got there:

    hold       everything is in place; beats for ever
    between    stands still between deleting the proxy and creating it again
    inflight   its inject reaches the server only through a slow relay, and is on its way
    dirty      ends as a run ends, but with the fault in place
    clean      takes everything out and ends as a run ends
    leased     as `clean`, but its lease cannot be given back
    nosentinel everything is in place, but there is no sentinel
    unseen     as `hold`, but the sentinel stands still (SIGSTOP) from its first moment on
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from gameday.adapters.toxiproxy.client import ToxiproxyClient
from gameday.adapters.toxiproxy.fault import TargetProxy, ToxiproxyFault
from gameday.adapters.toxiproxy.lease import Lease
from gameday.adapters.toxiproxy.undo import UNDOER
from gameday.journal import Journal
from gameday.model.event import Event, Phase
from gameday.model.project import Target
from gameday.model.scenario import FaultSpec, ToxicSpec
from gameday.sentinel import SentinelHandle, owner, start

CALL_MS = 1_000


class Runner:
    def __init__(self, run_dir: Path, url: str, target: Target, mode: str) -> None:
        self.run_dir, self.url, self.target = run_dir, url, target
        self.began = time.time()
        self.journal = Journal.open(run_dir / "journal.jsonl")
        origin = round(self.began * 1000)
        self.note("run.opened", run_dir.name, data={"origin_wall_ms": origin})
        owner.claim(run_dir, call_ms=CALL_MS)
        self.sentinel: SentinelHandle | None = None
        if mode != "nosentinel":
            self.sentinel = start(run_dir, heartbeat_s=0.4, call_ms=CALL_MS)
            if mode == "unseen":
                os.kill(self.sentinel.pid, signal.SIGSTOP)
        self.lease = Lease(url, run_dir.name)
        owner.add_after(run_dir, self.lease.undo)
        self.lease.take()

    def note(
        self,
        kind: str,
        subject: str,
        phase: Phase = Phase.NOTED,
        cause: int | None = None,
        data: Any = None,
    ) -> int:
        seq = self.journal.next_seq
        at_ms = round((time.time() - self.began) * 1000)
        event = Event(
            seq=seq, at_ms=at_ms, kind=kind, subject=subject, phase=phase, cause=cause,
            data=data or {},
        )  # fmt: skip
        self.journal.append(event, sync=True)
        return seq

    def open_target(self) -> dict[str, Any]:
        proxy = TargetProxy(self.url, self.run_dir.name, self.target)
        undo = dict(proxy.prepare())
        seq = self.note("target.open", self.target.name, Phase.STARTED, data={"undo": undo})
        proxy.open(undo)
        self.note("target.open", self.target.name, Phase.OK, cause=seq)
        return undo

    def inject(self, fault_id: str, url: str | None = None, *, down: bool = False) -> Any:
        toxic = ToxicSpec(type="latency", attributes={"latency": 400})
        spec = FaultSpec(
            id=fault_id, target=self.target.name, down=down, toxic=None if down else toxic
        )
        fault = ToxiproxyFault(self.url, self.run_dir.name, self.target, spec)
        undo = dict(fault.prepare())
        data = {"undo": undo, "target": self.target.name}
        seq = self.note("fault.inject", fault_id, Phase.STARTED, data=data)
        if url is not None:
            fault = ToxiproxyFault(url, self.run_dir.name, self.target, spec)
        fault.inject(undo)
        self.note("fault.inject", fault_id, Phase.OK, cause=seq)
        return undo

    def close(self, kind: str, subject: str, undo: Any) -> None:
        seq = self.note(kind, subject, Phase.STARTED)
        UNDOER.revert(undo)
        assert not UNDOER.present(undo)
        self.note(kind, subject, Phase.OK, cause=seq)

    def beat_for_ever(self) -> None:
        while True:
            if self.sentinel is not None:
                self.sentinel.beat()
            time.sleep(0.1)


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def stand_still_before_create() -> None:
    """The next proxy that is created after a delete is not: say so and wait to be killed."""
    delete = ToxiproxyClient.delete

    def deleted(self: ToxiproxyClient, name: str) -> bool:
        found = delete(self, name)
        if not name.startswith("gameday-"):
            say("between")
            time.sleep(3600)
        return found

    ToxiproxyClient.delete = deleted  # type: ignore[method-assign]


def main() -> None:
    run_dir, url, listen, upstream, mode = sys.argv[1:6]
    target = Target(name="pay", proxy="payments", listen=listen, upstream=upstream)
    runner = Runner(Path(run_dir), url, target, mode)
    opened = runner.open_target()
    if mode == "between":
        stand_still_before_create()
    if mode == "inflight":
        say("inflight")
    undo = runner.inject("slow", sys.argv[6] if mode == "inflight" else None)
    if mode in ("hold", "nosentinel", "unseen"):
        runner.inject("dead", down=True)
        say("hold")
        runner.beat_for_ever()
    ends_clean = mode in ("clean", "leased")
    if ends_clean:
        runner.close("fault.revert", "slow", undo)
        runner.close("target.close", "pay", opened)
    if mode == "clean":
        runner.lease.release()
    runner.note("run.closed", run_dir, data={"dirty": [] if ends_clean else ["slow"]})
    runner.journal.close()
    assert runner.sentinel is not None
    say(f"done {runner.sentinel.done(wait_s=10.0 if ends_clean else 0.0)}")


if __name__ == "__main__":
    main()
