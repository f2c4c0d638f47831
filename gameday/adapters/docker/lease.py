"""The lease: one run at a time on a container.

It is a container beside it (see `notes`). Creating that is atomic, so it locks between hosts too.
It says until when it holds and which process renews it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.engine import ConflictError, Engine
from gameday.adapters.docker.notes import (
    Place,
    lease_name,
    make_place,
    place_of,
    put_lease,
    read_place,
)
from gameday.adapters.docker.resolve import resolve
from gameday.adapters.docker.undo import UNDOER
from gameday.errors import RefusedError
from gameday.model.project import DockerSpec, Target
from gameday.ports import Undo
from gameday.processes import Life, life_of, own_identity

TTL_S = 30.0
CALLS_S = 6.0


class DockerLease:
    """A run's hold on a container. Renew it at least every third of *ttl_s*, from one thread."""

    def __init__(
        self, docker: DockerSpec, run_id: str, container_name: str, *, ttl_s: float = TTL_S
    ) -> None:
        self._docker, self._run, self._container = docker, run_id, container_name
        self._ttl_s = ttl_s

    @property
    def undo(self) -> Undo:
        """The record with which the lease is given back from any process."""
        return {
            "kind": "docker",
            "mode": "lease",
            "url": Engine(self._docker.url).url,
            "run": self._run,
            "container": self._container,
        }

    def take(self) -> Undo:
        """Take the container for this run. Raises `RefusedError` naming the run that has it."""
        with self._engine() as engine:
            self._take(engine)
        return self.undo

    def renew(self) -> None:
        """Hold it for another *ttl_s*; a lease that somebody removed is taken again.

        Raises `RefusedError` when another run has taken it.
        """
        with self._engine() as engine:
            place = place_of(engine, self._container)
            if place is not None and place.run == self._run:
                put_lease(engine, place.id, self._lease())
            else:
                self._take(engine)

    def release(self) -> None:
        """Give it back. Idempotent; another run's lease is left alone."""
        UNDOER.revert(self.undo)

    def _take(self, engine: Engine) -> None:
        lease = self._lease()
        try:
            made = make_place(engine, self._container, self._run, lease)
        except ConflictError:
            found = engine.find(lease_name(self._container))
            place = read_place(engine, found) if found is not None else None
            if place is None or place.run != self._run:
                raise RefusedError(who_holds(engine.url, place, self._container)) from None
            made = place.id
        put_lease(engine, made, lease)

    def _engine(self) -> Engine:
        return Engine(self._docker.url, within_s=CALLS_S)

    def _lease(self) -> dict[str, Any]:
        return {
            "run": self._run,
            "expires_wall_ms": round((time.time() + self._ttl_s) * 1000),
            "owner": own_identity(),
        }


def leases_on(
    docker: DockerSpec, run_id: str, target: Target, *, seed: int
) -> tuple[DockerLease, ...]:
    """A lease for each container that *target* means now. Raises `NoEffectError` as `resolve`."""
    with Engine(docker.url, within_s=CALLS_S) as engine:
        found = resolve(engine, target, docker, seed)
    return tuple(DockerLease(docker, run_id, container.name) for container in found)


def held(place: Place) -> bool:
    """Whether a run still has the container: its process lives, or may live and has renewed."""
    life = _life(place)
    if life is Life.UNKNOWN:
        return _expires_ms(place) > time.time() * 1000
    return life is Life.ALIVE


def who_holds(url: str, place: Place | None, container: str = "?") -> str:
    """Why another run cannot have a container now, and what to do."""
    if place is None:
        return f"container `{container}` was held by another run a moment ago; try again"
    what = f"container `{place.container}` on the Docker engine at {url}"
    owner = (place.lease or {}).get("owner")
    host = owner.get("host", "?") if isinstance(owner, Mapping) else "?"
    who = f"run `{place.run}` on host `{host}`"
    until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(_expires_ms(place) / 1000))
    if held(place):
        return (
            f"{what} is held by {who} until {until}, and it renews that; wait for its end, or "
            f"clean up over its head with `gameday recover --target {url} --force`"
        )
    return (
        f"{who} left {what} without cleaning up (lease until {until}); "
        f"take out what it left with `gameday recover --target {url}`"
    )


def _life(place: Place) -> Life:
    owner = (place.lease or {}).get("owner")
    return life_of(owner) if isinstance(owner, Mapping) else Life.UNKNOWN


def _expires_ms(place: Place) -> float:
    value = (place.lease or {}).get("expires_wall_ms")
    return float(value) if isinstance(value, (int, float)) else 0.0
