"""The load process at work: obeys the runner's commands, and tells what happens every second."""

from __future__ import annotations

import gc
import logging
import math
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from time import monotonic_ns
from typing import Any, NoReturn

import gevent
import locust
from gevent.event import Event
from locust import HttpUser
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.user.users import User

from gameday.adapters.locust import agent_hooks, agent_users
from gameday.adapters.locust.agent_aside import Aside
from gameday.adapters.locust.agent_book import Book
from gameday.adapters.locust.agent_feeds import Feeds
from gameday.adapters.locust.agent_link import Link
from gameday.adapters.locust.agent_once import once
from gameday.adapters.locust.agent_pacer import Pacer
from gameday.adapters.locust.agent_visits import Visits
from gameday.adapters.locust.pacing import EARLY_POOL, MAX_POOL, pool_size, schedule_of
from gameday.adapters.locust.protocol import (
    VERSION,
    Bye,
    Command,
    Edge,
    Edged,
    Failed,
    Hello,
    Noted,
    Once,
    Prepare,
    Rate,
    Ready,
    Running,
    Start,
    Stop,
    Ticked,
    Users,
    spec_from_json,
)
from gameday.adapters.locust.sharing import Share
from gameday.model.scenario import LoadSpec

SECOND_NS = 1_000_000_000
#: Start this long before a whole second at least, so that the first arrival is not late.
MARGIN_NS = 20_000_000
#: How long users' own `on_stop` may take after the drain, in seconds.
FAREWELL_S = 3.0
_BEAT_S = 0.05


def run(path: str, token: str, worker: str) -> None:
    """Speak with the runner at *path* until it says stop. Does not return: it ends the process."""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("locust.runners").setLevel(logging.ERROR)
    link = Link(path)
    link.send(
        Hello(
            v=VERSION,
            token=token,
            pid=os.getpid(),
            worker=worker,
            generator=f"locust {locust.__version__}",
            mono_ns=monotonic_ns(),
        )
    )
    session = Session(link, worker)
    for command in link.commands():
        try:
            session.obey(command)
        except Exception as error:  # noqa: BLE001 - the runner hears it, and ends the run
            fail(link, error)


def fail(link: Link, error: BaseException) -> NoReturn:
    """Tell the runner why this cannot go on, and end."""
    if isinstance(error, agent_users.UserCodeError):
        why = str(error)
    else:
        logging.error("the load process failed", exc_info=error)
        why = f"the load process failed: {type(error).__name__}: {error}"
    link.send(Failed(message=why))
    _leave(2)


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # whatever threads or exit handlers users' code may have left


class Session:
    """One load, from `prepare` to `bye`."""

    def __init__(self, link: Link, worker: str) -> None:
        self._link, self._worker = link, worker
        self._spec, self._seed, self._share = LoadSpec(target=""), 0, Share()
        self._book = Book(worker=worker)
        self._aside: Aside | None = None
        self._pacer: Pacer | None = None
        self._visits = Visits(self._book, None)
        self._runner: Any = None
        self._env: Any = None
        self._classes: dict[str, type[User]] = {}
        self._next_second = 0
        self._lag_ms = 0.0
        self._cpu, self._cpu_at_ns = time.process_time(), monotonic_ns()
        self._ending = False

    def obey(self, command: Command) -> None:
        """Do what the runner says."""
        match command:
            case Prepare():
                self._prepare(command)
            case Start():
                self._start(command)
            case Rate() if self._pacer is not None:
                self._pacer.change(command.per_s, command.at_mono_ns)
            case Users() if self._pacer is None:
                users = self._share.users(command.n)
                gevent.spawn(self._runner.start, users, max(1, users))
            case Edge():
                marked = self._book.edge(command.opening)
                self._link.send(Edged(worker=self._worker, opening=command.opening, marked=marked))
            case Stop() if not self._ending:
                self._ending = True
                self._in_background(partial(self._stop, command.drain_ms / 1000))
            case Once():
                self._book.origin_ns = monotonic_ns()
                once(self._link, self._env, self._visits, limit_s=command.limit_ms / 1000)
                self._farewell()
                if problem := self._tidy():
                    raise agent_users.UserCodeError(problem)
                self._bye()

    def _prepare(self, command: Prepare) -> None:
        self._share = share = Share.read(command.share)
        spec = agent_users.with_own_file(spec_from_json(command.spec), command.sha256)
        self._spec, self._seed = spec, command.seed
        # the choices of several workers must not be the same ones
        own = f"{command.seed}/{share.index}" if share.index else command.seed
        random.seed(own)
        _many_files()
        feeds = Feeds(spec.data, command.seed, Share() if spec.rates else share)
        rng = random.Random(own)  # noqa: S311 - pauses, not secrets
        shared: dict[str, Any] = {}  # filled by setup, before anybody comes
        classes = (
            agent_users.from_file(spec.locustfile, spec.classes)
            if spec.locustfile
            else agent_users.generated(spec, feeds, rng, partial(fail, self._link), shared)
        )
        self._classes = {cls.__name__: cls for cls in classes}
        if spec.rates:
            self._pacer = self._make_pacer(classes, feeds)
        self._visits = Visits(self._book, self._pacer)
        agent_hooks.install(self._visits, timeout_s=spec.timeout_ms / 1000, left=self._left)
        if spec.setup or spec.teardown:
            self._aside = Aside(spec, command.base_url)
            if problem := self._aside.do(spec.setup, "setup"):
                left = "; nothing of the setup was taken away again" if spec.teardown else ""
                raise agent_users.UserCodeError(problem + left)
            shared.update(self._aside.values)
        self._env = self._environment(classes, command.base_url)
        users = self._spawn(classes)
        gc.collect()
        gc.freeze()  # what stands by for the whole run need not be looked at again
        if not any(issubclass(cls, HttpUser) for cls in classes):
            # `requests` leaves cycles behind with each request: the usual small steps take them
            # away while they are still in the cache. The other client leaves next to none.
            gc.set_threshold(20_000, 20, 50)
        self._link.send(Ready(worker=self._worker, users=users))

    def _make_pacer(self, classes: list[type[User]], feeds: Feeds) -> Pacer:
        if self._spec.locustfile:
            lanes = [cls.__name__ for cls in classes]
            weights = [float(cls.weight) if cls.weight > 0 else 1.0 for cls in classes]
        else:
            lanes = [agent_users.VISITOR] * len(self._spec.journeys)
            weights = [float(j.weight) for j in self._spec.journeys]
        drawn = [agent_users.drawn_by(j, self._spec.data) for j in self._spec.journeys]
        return Pacer(
            book=self._book,
            labels=agent_users.labels(self._spec, classes),
            lanes=lanes,
            weights=weights,
            grow=self._grow,
            share=self._share,
            rows=(lambda journey: feeds.rows(drawn[journey])) if any(drawn) else None,
        )

    def _environment(self, classes: list[type[User]], base_url: str) -> Environment:
        parser = get_parser(default_config_files=[])  # no locust.conf from wherever
        options = parser.parse_args(["--headless", "--host", base_url])
        env = Environment(
            user_classes=classes,
            events=agent_users.all_events(),
            host=base_url,
            parsed_options=options,
            locustfile=self._spec.locustfile,
            stop_timeout=self._spec.timeout_ms / 1000,
        )
        self._runner = env.create_local_runner()
        events: Any = env.events
        events.request.add_listener(agent_hooks.on_request(self._visits))
        events.init.fire(environment=env, runner=self._runner, web_ui=None)
        return env

    def _spawn(self, classes: list[type[User]]) -> int:
        for cls in classes:
            cls.host = self._env.host
        if self._pacer is None:
            users = self._share.users(self._spec.users or 1)
            if not users:
                return 0
            spawned = Event()
            self._env.events.spawning_complete.add_listener(lambda **_: spawned.set())
            self._runner.start(users, users)
            spawned.wait()
            return users
        early = min(EARLY_POOL, pool_size(self._spec, self._share.of))
        total = sum(max(0.0, cls.weight) or 1.0 for cls in classes)
        counts = {
            cls.__name__: max(1, math.ceil(early * (max(0.0, cls.weight) or 1.0) / total))
            for cls in classes
        }
        self._env.events.test_start.fire(environment=self._env)
        self._runner.spawn_users(counts)
        users = sum(counts.values())
        self._env.events.spawning_complete.fire(user_count=users)
        return users

    def _grow(self, lane: str) -> None:
        # not `spawn_users`: it counts all users each time, which is slow when thousands stand by
        if self._runner.user_count >= MAX_POOL:
            return
        try:
            self._classes[lane](self._env).start(self._runner.user_greenlets)
        except Exception:  # the user's own code; the arrival waits for another user
            logging.exception("a user of class %s could not be made", lane)

    def _left(self, user: User) -> None:
        """A user has ended by itself (`StopUser`, a failed login): another one takes its place."""
        if self._pacer is not None and not self._ending and not self._visits.stopping:
            gevent.spawn(self._grow, type(user).__name__)

    def _start(self, command: Start) -> None:
        origin_ns = self._book.origin_ns = command.origin_mono_ns
        self._next_second = (
            -((origin_ns - monotonic_ns() - MARGIN_NS) // SECOND_NS)
            if command.second is None
            else command.second
        )
        begin_ns = origin_ns + self._next_second * SECOND_NS
        self._in_background(partial(self._begin, begin_ns))
        self._in_background(self._beat)
        self._in_background(self._tick)

    def _begin(self, begin_ns: int) -> None:
        gevent.sleep(max(0, begin_ns - monotonic_ns()) / 1e9)
        if self._ending:
            return
        if self._pacer is not None:
            schedule = schedule_of(self._spec, start_ns=begin_ns, seed=self._seed)
            self._in_background(partial(self._pacer.issue, schedule))
        self._visits.go.set()
        second = (begin_ns - self._book.origin_ns) // SECOND_NS
        self._link.send(Running(worker=self._worker, second=second))

    def _tick(self) -> None:
        while True:
            due_ns = self._book.origin_ns + (self._next_second + 1) * SECOND_NS
            gevent.sleep(max(0, due_ns - monotonic_ns()) / 1e9)
            if monotonic_ns() >= due_ns:  # a timer may be a little early
                self._cut()

    def _beat(self) -> None:
        """How late the event loop is: the most in each second."""
        while True:
            before_ns = monotonic_ns()
            gevent.sleep(_BEAT_S)
            late_ms = (monotonic_ns() - before_ns) / 1e6 - _BEAT_S * 1000
            self._lag_ms = max(self._lag_ms, late_ms)

    def _cut(self) -> None:
        now_ns, cpu = monotonic_ns(), time.process_time()
        share = (cpu - self._cpu) / max(1e-3, (now_ns - self._cpu_at_ns) / 1e9)
        self._cpu, self._cpu_at_ns = cpu, now_ns
        second, self._next_second = self._next_second, self._next_second + 1
        tick = self._book.cut(
            second=second,
            now_ns=now_ns,
            waiting=self._pacer.waiting() if self._pacer is not None else (),
            users=self._runner.user_count,
            loop_lag_ms=self._lag_ms,
            cpu_share=share,
        )
        self._lag_ms = 0.0
        self._link.send(Ticked(tick=tick))

    def _stop(self, drain_s: float) -> None:
        self._visits.leaving.set()
        if self._pacer is not None:
            self._pacer.end()
        deadline = monotonic_ns() + int(drain_s * 1e9)
        while monotonic_ns() < deadline and self._visits.busy:
            gevent.sleep(0.02)
        self._give_up()
        lag_ms = self._lag_ms
        self._farewell()
        self._tidy()
        self._lag_ms = lag_ms  # ending a thousand users at once delays no request
        begun = self._book.origin_ns > 0  # before `start` there are no seconds to tell of
        while begun and self._book.origin_ns + self._next_second * SECOND_NS <= monotonic_ns():
            self._cut()
        self._bye()

    def _tidy(self) -> str:
        """Do the teardown, and tell when it fails: what setup has made may still be there."""
        problem = self._aside.do(self._spec.teardown, "teardown") if self._aside is not None else ""
        if problem:
            self._link.send(Noted(worker=self._worker, what="untidy", data={"why": problem}))
        return problem

    def _give_up(self) -> None:
        now_ns = monotonic_ns()
        if self._pacer is not None:
            self._pacer.give_up(now_ns)
        self._book.give_up(now_ns)

    def _farewell(self) -> None:
        """End the users and let the user's own listeners clean up, in bounded time."""
        self._env.stop_timeout = 0
        with gevent.Timeout(FAREWELL_S, False):
            self._runner.stop()
            self._env.events.quitting.fire(environment=self._env, reverse=True)
        self._give_up()

    def _bye(self) -> None:
        book = self._book
        self._link.send(
            Bye(worker=self._worker, asked=book.asked, started=book.started, unserved=book.unserved)
        )
        _leave(0)

    def _in_background(self, work: Callable[[], None]) -> None:
        """Run *work* in a greenlet; if it breaks, the load is not what the runner thinks it is."""
        gevent.spawn(work).link_exception(lambda done: fail(self._link, done.exception))


def _many_files() -> None:
    """A connection is a file: allow as many as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
