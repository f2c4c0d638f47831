"""Load by Locust, as the engine drives it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.adapters.locust.process import LoadProcess
from gameday.adapters.locust.protocol import (
    Bye,
    Edge,
    Edged,
    Message,
    Prepare,
    Rate,
    Ready,
    Running,
    Start,
    Stop,
    Ticked,
    Users,
    spec_to_json,
)
from gameday.errors import NoEffectError
from gameday.model.event import Event
from gameday.model.scenario import LoadSpec
from gameday.model.window import Tick, tick_to_json
from gameday.ports import Emit

AGENT = "gameday.adapters.locust.agent"
#: How long the child may take to say `hello` and `ready`, and then `running`, in seconds.
READY_S, RUNNING_S = 20.0, 10.0
#: How long an edge may take to be marked.
EDGE_S = 1.0
#: What the child may take beyond the drain: users' own `on_stop`, the last tick.
FAREWELL_S = 8.0


class LocustLoad:
    """The traffic of one run (implements `ports.Load`).

    *work_dir* gets a directory `load`, in which the child runs and its output is kept.
    """

    def __init__(
        self,
        spec: LoadSpec,
        base_url: str,
        work_dir: Path,
        *,
        seed: int = 0,
        python: str = sys.executable,
    ) -> None:
        self._spec, self._base_url = resolved(spec), base_url.rstrip("/")
        self._directory, self._seed, self._python = work_dir / "load", seed, python
        self._emit: Emit | None = None
        self._process: LoadProcess | None = None
        self._last: Tick | None = None
        self._began = False
        self._edges = 0
        self._edging = threading.Lock()
        self._facts: dict[str, Any] | None = None

    @property
    def stop_limit_ms(self) -> int:
        """The longest that `stop` takes: the drain, the farewell, and the use of force."""
        return self._drain_ms + int(FAREWELL_S * 1000) + 5_000

    def start(self, emit: Emit, *, origin_wall_ms: int, origin_mono_ns: int) -> Mapping[str, Any]:
        """Start the traffic; it begins on the next whole run second. Raises `NoEffectError`."""
        if self._process is not None:
            raise NoEffectError("the load was already started")
        self._emit = emit
        process = self._process = LoadProcess(
            command=(self._python, "-m", AGENT),
            directory=self._directory,
            heard=self._heard,
            lost=self._lost,
        )
        try:
            hello = process.start(READY_S)
            if abs(time.monotonic_ns() - hello.mono_ns) > READY_S * 1e9:
                raise NoEffectError("the load process does not share this machine's clock")
            process.send(
                Prepare(base_url=self._base_url, seed=self._seed, spec=spec_to_json(self._spec))
            )
            ready = process.wait_for(Ready, READY_S)
            self._began = True
            process.send(Start(origin_wall_ms=origin_wall_ms, origin_mono_ns=origin_mono_ns))
            running = process.wait_for(Running, RUNNING_S)
        except NoEffectError:
            self._began = False
            process.join(0)
            raise
        return {
            "pid": hello.pid,
            "version": hello.generator,
            "file": self._spec.locustfile or "generated",
            "users": ready.users,
            "first_second": running.second,
        }

    def edge(self, opening: bool) -> None:
        """Announce an edge, and wait (a second at most) until the load has marked it.

        Never raises: an inject or a revert must not fail because the load is gone.
        """
        process = self._process
        if process is None:
            return
        with self._edging:
            self._edges += 1
            if process.send(Edge(opening=opening)):
                try:
                    process.wait_for(Edged, EDGE_S, n=self._edges)
                except NoEffectError:
                    self._edges = process.count(Edged)

    def set_rate(self, per_s: float) -> None:
        """Change the arrival rate from now on (open model)."""
        if self._process is not None:
            self._process.send(Rate(per_s=per_s))

    def set_users(self, n: int) -> None:
        """Change the number of users (closed model)."""
        if self._process is not None:
            self._process.send(Users(n=n))

    def stop(self) -> Mapping[str, Any]:
        """Stop asking, wait for what is under way, end the process. Idempotent."""
        process = self._process
        if process is None:
            return {"asked": 0, "started": 0, "unserved": 0, "exit_code": None}
        if self._facts is None:
            process.send(Stop(drain_ms=self._drain_ms))
            by_itself = process.join(self._drain_ms / 1000 + FAREWELL_S)
            self._facts = {**self._totals(process), "exit_code": process.exit_code}
            if not by_itself:
                self._facts["forced"] = True
        return self._facts

    @property
    def _drain_ms(self) -> int:
        return self._spec.timeout_ms + 1_000

    def _totals(self, process: LoadProcess) -> dict[str, Any]:
        if process.count(Bye):
            bye = process.wait_for(Bye, 0)
            return {"asked": bye.asked, "started": bye.started, "unserved": bye.unserved}
        last = self._last or Tick(second=0)
        # the end of the record is missing: what waited then was never served, as far as is known
        return {"asked": last.asked, "started": last.started, "unserved": last.queued}

    def _heard(self, message: Message) -> None:
        if isinstance(message, Ticked) and self._emit is not None:
            self._last = message.tick
            self._emit(
                Event(
                    kind="load.window",
                    subject=message.tick.worker,
                    data=tick_to_json(message.tick),
                )
            )

    def _lost(self, why: str) -> None:
        if self._began and self._emit is not None:
            self._emit(Event(kind="load.lost", subject="load", data={"why": why}))


def resolved(spec: LoadSpec) -> LoadSpec:
    """The specification with its locustfile as an absolute path: the child runs elsewhere."""
    if spec.locustfile is None:
        return spec
    return replace(spec, locustfile=str(Path(spec.locustfile).resolve()))
