"""A worker of a run, on any host: `gameday load worker`, or Locust's own command with this file.

    GAMEDAY_LOAD_TOKEN=… locust --worker -f agent_worker.py --master-host 10.0.0.5

As a locustfile it hooks in when Locust loads it. A master that is not gameday's can do nothing with
it: the one user class does nothing, and the load comes by our own messages alone.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import gevent
from locust import User, events, task
from locust.env import Environment
from locust.runners import WorkerRunner

from gameday.adapters.locust.agent_relay import ORPHANED, REFUSED, Relay, served
from gameday.adapters.locust.hosts import FILE_VAR, MASTER_VAR, split_address
from gameday.adapters.locust.protocol import TOKEN_VAR

ALL: Any = events


class GamedayWorker(User):
    """Locust wants a user class; this one makes no load."""

    @task
    def nothing(self) -> None:
        """Wait for nothing."""
        gevent.sleep(60)


def attach(runner: Any) -> Relay:
    """Serve the run of the master that *runner* is connected to; without a token, end."""
    token = os.environ.pop(TOKEN_VAR, "")
    if not token:
        sys.stderr.write(f"gameday: a worker needs the token of the run, in {TOKEN_VAR}\n")
        os._exit(REFUSED)
    file = os.environ.pop(FILE_VAR, "")
    relay = Relay(runner, token=token, locustfile=os.path.abspath(file) if file else "")  # noqa: PTH100 - of a name only
    relay.start()
    gevent.spawn(served, relay)
    return relay


def main() -> int:
    """As a program: come to the master, and serve one run. Does not return from that."""
    host, port = split_address(os.environ.pop(MASTER_VAR, ""))
    sys.stdout.write(f"gameday: waiting for a run at {host}:{port}\n")
    sys.stdout.flush()
    env = Environment(user_classes=[GamedayWorker])
    try:
        runner = env.create_worker_runner(host, port)
    except ConnectionError:
        sys.stderr.write(f"gameday: there is no run at {host}:{port}\n")
        return REFUSED
    relay = attach(runner)
    runner.greenlet.join()  # a relay that has served ends the process itself
    relay.end()
    if relay.code is not None:
        return relay.code
    sys.stderr.write("gameday: the master is gone; this worker did not finish\n")
    return ORPHANED


def _on_init(environment: Any, runner: Any = None, **_: object) -> None:
    """Locust has loaded this file."""
    del environment
    if isinstance(runner, WorkerRunner):
        relay = attach(runner)
        ALL.quitting.add_listener(lambda **_: relay.end())


if __name__ == "__main__":
    sys.exit(main())
elif not __name__.startswith("gameday."):
    ALL.init.add_listener(_on_init)
