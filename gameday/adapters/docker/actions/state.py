"""`kill`, `stop`, `restart` and `pause`: whether the main process of a container runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.common import (
    addresses,
    moved,
    published,
    read_until,
    refuse_auto_remove,
    refuse_random_ports,
    refuse_unless_running,
)
from gameday.adapters.docker.engine import Engine, EngineError, Found
from gameday.errors import AdapterError

#: How long a process may take to end after a signal, and a container to start.
_END_S = 4.0
_START_S = 4.0


def _ended(container: Found, before: Mapping[str, Any]) -> bool:
    """Whether the process that ran before has ended; the engine may have started it again."""
    return not container.running or container.state.get("StartedAt") != before["started_at"]


class _Ending:
    """What kill, stop and restart have in common: the container has to run again afterwards."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Refuse what cannot be brought back as it is."""
        refuse_unless_running(container)
        refuse_auto_remove(container)
        refuse_random_ports(container)
        return {
            "running": True,
            "started_at": container.state.get("StartedAt"),
            "ports": published(container),
            "addresses": addresses(container),
        }

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Start it if it does not run, and compare ports and addresses with those before."""
        started = not container.running
        if started:
            engine.start(container.id)
        now = read_until(
            engine,
            container.id,
            "does not run after it was started",
            lambda c: c.running and not c.state.get("Restarting"),
            _START_S,
        )
        return {"started": started, **moved(now, part["before"])}

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether it does not run."""
        return not container.running


class _Kill(_Ending):
    """A signal to the main process, which has to end of it."""

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Send the signal and wait for the end of the process."""
        signal = str(options["signal"])
        engine.kill(container.id, signal)
        try:
            now = read_until(engine, container.id, "runs on", lambda c: _ended(c, before), _END_S)
        except AdapterError as error:
            raise AdapterError(
                f"{error} {_END_S:g} s after SIG{signal}; its main process may ignore that signal: "
                "use `signal: KILL`, or `type: stop`, which kills it after `grace`"
            ) from error
        return {
            "signal": signal,
            "exit_code": now.state.get("ExitCode"),
            "started_again_by_engine": now.running,
        }


class _Stop(_Ending):
    """An orderly stop; what does not end in time is killed."""

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Stop it and read back that it does not run."""
        engine.stop(container.id, int(options["grace"]) / 1000)
        now = read_until(engine, container.id, "runs on after its stop", lambda c: not c.running)
        return {"exit_code": now.state.get("ExitCode")}


class _Restart(_Ending):
    """Stopped and started once."""

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Restart it and read back that it runs, and is not the process from before."""
        engine.restart(container.id, int(options["grace"]) / 1000)
        now = read_until(
            engine,
            container.id,
            "did not come back from its restart",
            lambda c: c.running and _ended(c, before),
            _START_S,
        )
        return {"started_at": now.state.get("StartedAt"), **moved(now, before)}


class _Pause:
    """All processes frozen."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Refuse a container that is frozen already."""
        refuse_unless_running(container)
        return {"running": True, "paused": False}

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Freeze it and read that back."""
        engine.pause(container.id)
        read_until(engine, container.id, "is not paused", lambda c: c.paused)
        return {"paused": True}

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Thaw it if it is frozen."""
        if not container.paused:
            return {"unpaused": False, "running": container.running}
        try:
            engine.unpause(container.id)
        except EngineError:
            if engine.inspect(container.id).paused:  # else somebody was quicker
                raise
        now = read_until(engine, container.id, "is still paused", lambda c: not c.paused)
        return {"unpaused": True, "running": now.running}

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether it is frozen."""
        return container.paused


KILL, STOP, RESTART, PAUSE = _Kill(), _Stop(), _Restart(), _Pause()
