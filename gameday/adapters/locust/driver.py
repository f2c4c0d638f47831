"""Load by Locust, as the engine drives it."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.adapters.locust.hosts import BRIDGE, GATHER_VAR, Hosts
from gameday.adapters.locust.process import LoadProcess
from gameday.adapters.locust.protocol import (
    AGENT,
    Bye,
    Edge,
    Edged,
    Hello,
    Message,
    Noted,
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
from gameday.adapters.locust.sharing import processes_here
from gameday.errors import NoEffectError
from gameday.model.event import Event
from gameday.model.scenario import LoadSpec, RequestStep
from gameday.model.window import Tick, tick_to_json
from gameday.ports import Emit

#: How long the child may take to say `hello` and `ready`, and then `running`, in seconds.
READY_S, RUNNING_S = 20.0, 10.0
#: Several workers begin, and change their rate, at a time that is so far ahead, in seconds.
TOGETHER_S, TOGETHER_AFAR_S = 0.25, 1.0
#: How long an edge may take to be marked.
EDGE_S = 1.0
#: What the child may take beyond the drain: users' own `on_stop`, the last tick.
FAREWELL_S = 8.0


class LocustLoad:
    """The traffic of one run (implements `ports.Load`).

    *work_dir* gets a directory `load`, in which the child runs (of several each in one of its own)
    and its output is kept. *cores* are those that `processes: auto` may count with; those of this
    machine unless given. *hosts* says where the workers of other hosts come to, if the
    specification asks for some.
    """

    def __init__(
        self,
        spec: LoadSpec,
        base_url: str,
        work_dir: Path,
        *,
        seed: int = 0,
        python: str = sys.executable,
        cores: int | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self._spec, self._base_url = resolved(spec), base_url.rstrip("/")
        self._hosts = hosts if spec.workers else None
        self._of = spec.workers or processes_here(spec, cores or len(os.sched_getaffinity(0)))
        self._ahead_s = TOGETHER_S if self._hosts is None else TOGETHER_AFAR_S
        if spec.users is not None:
            self._of = min(self._of, spec.users)  # nobody without a user
        self._directory, self._seed, self._python = work_dir / "load", seed, python
        self._emit: Emit | None = None
        self._process: LoadProcess | None = None
        self._last: dict[str, Tick] = {}
        self._begun: dict[str, int] = {}  # the first second of each worker
        self._began = False
        self._edges = 0
        self._edging = threading.Lock()
        self._facts: dict[str, Any] | None = None

    @property
    def stop_limit_ms(self) -> int:
        """The longest that `stop` takes: the drain, the farewell, and the use of force."""
        return self._drain_ms + int(self._farewell_s * 1000) + 5_000

    def start(self, emit: Emit, *, origin_wall_ms: int, origin_mono_ns: int) -> Mapping[str, Any]:
        """Start the traffic; it begins on the next whole run second. Raises `NoEffectError`."""
        if self._process is not None:
            raise NoEffectError("the load was already started")
        self._emit = emit
        process = self._process = self._made()
        try:
            hellos = self._gathered(process)
            if any(abs(time.monotonic_ns() - hello.mono_ns) > READY_S * 1e9 for hello in hellos):
                raise NoEffectError("the load process does not share this machine's clock")
            process.send_each(self._prepare)
            ready = process.wait_all(Ready, READY_S + aside_s(self._spec.setup, self._spec))
            self._began = True
            second = self._first_second(origin_mono_ns)
            process.send(
                Start(origin_wall_ms=origin_wall_ms, origin_mono_ns=origin_mono_ns, second=second)
            )
            running = process.wait_for(Running, RUNNING_S)
        except NoEffectError:
            self._began = False
            process.join(0)
            raise
        return {
            "pid": hellos[0].pid,
            "pids": process.pids,
            "version": hellos[0].generator,
            "file": self._spec.locustfile or "generated",
            "users": sum(one.users for one in ready),
            "first_second": running.second,
            "workers": [worker_facts(hello) for hello in hellos],
        }

    def _made(self) -> LoadProcess:
        hosts = self._hosts
        variables = {} if hosts is None else {GATHER_VAR: hosts.told(self._of)}
        return LoadProcess(
            command=(self._python, "-m", AGENT if hosts is None else BRIDGE),
            directory=self._directory,
            heard=self._heard,
            lost=self._lost,
            gone=self._gone,
            children=self._of if hosts is None else 1,
            links=self._of,
            variables=variables,
        )

    def _gathered(self, process: LoadProcess) -> list[Hello]:
        """Start the process, and wait for all workers. Raises `NoEffectError`, naming who came."""
        hosts = self._hosts
        if hosts is None:
            process.start(READY_S)
            return process.wait_all(Hello, READY_S)
        try:
            process.start(hosts.wait_ms / 1000)
            return process.wait_all(Hello, READY_S)
        except NoEffectError:
            if process.over:
                raise
            came = [f"`{link.worker}`" for link in process.links()]
            raise NoEffectError(
                f"{len(came)} of {self._of} workers came to {hosts.listen} within "
                f"{hosts.wait_ms / 1000:g} s{': ' if came else ''}{', '.join(came)}; start "
                f"`gameday load worker --master {hosts.listen}` on each host, before the run or "
                f"soon after{process.tail()}"
            ) from None

    def _prepare(self, number: int) -> Prepare:
        share = {"index": number, "of": self._of} if self._of > 1 else None
        return Prepare(
            base_url=self._base_url,
            seed=self._seed,
            spec=spec_to_json(self._spec),
            share=share,
            sha256="" if self._hosts is None else _sha256(self._spec.locustfile),
        )

    def _first_second(self, origin_mono_ns: int) -> int | None:
        """The run second in which several workers begin together; one takes the next by itself."""
        if self._of == 1:
            return None
        since_ns = time.monotonic_ns() + int(self._ahead_s * 1e9) - origin_mono_ns
        return -(-since_ns // 1_000_000_000)

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
                    self._edges = process.least(Edged)

    def set_rate(self, per_s: float) -> None:
        """Change the arrival rate from now on (open model)."""
        if self._process is not None:
            at_ns = None if self._of == 1 else time.monotonic_ns() + int(self._ahead_s * 1e9)
            self._process.send(Rate(per_s=per_s, at_mono_ns=at_ns))

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
            by_itself = process.join(self._drain_ms / 1000 + self._farewell_s)
            self._facts = {**self._totals(process), "exit_code": process.exit_code}
            if not by_itself:
                self._facts["forced"] = True
        return self._facts

    @property
    def _farewell_s(self) -> float:
        return FAREWELL_S + aside_s(self._spec.teardown, self._spec)

    @property
    def _drain_ms(self) -> int:
        return self._spec.timeout_ms + 1_000

    def _totals(self, process: LoadProcess) -> dict[str, Any]:
        total = {"asked": 0, "started": 0, "unserved": 0}
        for link in process.links():
            bye = next((m for m in link.messages if isinstance(m, Bye)), None)
            last = self._last.get(link.worker, Tick(second=0))
            # where the end of the record is missing, what waited then was never served
            ended = bye or Bye(
                worker="", asked=last.asked, started=last.started, unserved=last.queued
            )
            for name in total:
                total[name] += getattr(ended, name)
        return total

    def _heard(self, message: Message) -> None:
        if self._emit is None:
            return
        if isinstance(message, Ticked):
            self._last[message.tick.worker] = message.tick
            data = tick_to_json(message.tick)
            self._emit(Event(kind="load.window", subject=message.tick.worker, data=data))
        elif isinstance(message, Hello) and self._hosts is not None:
            data = {"state": "came", "host": message.host, "clock": message.clock}
            self._emit(Event(kind="load.worker", subject=message.worker, data=data))
        elif isinstance(message, Running):
            self._begun[message.worker] = message.second
        elif isinstance(message, Noted):
            data = {**message.data, "state": message.what}
            self._emit(Event(kind="load.worker", subject=message.worker, data=data))

    def _gone(self, worker: str, why: str) -> None:
        """One of several workers is lost; the rest of the load goes on."""
        if self._emit is None or not self._began:
            return
        last = self._last.get(worker)
        second = self._begun.get(worker) if last is None else last.second + 1
        data = {"state": "lost", "why": why, "second": second}
        self._emit(Event(kind="load.worker", subject=worker, data=data))

    def _lost(self, why: str) -> None:
        if self._began and self._emit is not None:
            self._emit(Event(kind="load.lost", subject="load", data={"why": why}))


def aside_s(steps: Sequence[RequestStep], spec: LoadSpec) -> float:
    """How long steps of setup or teardown may take, one after the other."""
    return len(steps) * spec.timeout_ms / 1000


def worker_facts(hello: Hello) -> dict[str, Any]:
    """What the journal says of a worker that has come."""
    facts = {"worker": hello.worker, "pid": hello.pid, "generator": hello.generator}
    if hello.host:
        facts["host"] = hello.host
    return facts if hello.clock is None else {**facts, "clock": hello.clock}


def _sha256(path: str | None) -> str:
    """That of a file; empty where there is none, which whoever reads it will say."""
    if path is None or not Path(path).is_file():
        return ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def resolved(spec: LoadSpec) -> LoadSpec:
    """The specification with its locustfile as an absolute path: the child runs elsewhere."""
    if spec.locustfile is None:
        return spec
    return replace(spec, locustfile=str(Path(spec.locustfile).resolve()))
