"""Everything that watches during a run: alert sources, the receiver, probes, the proxy's health."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.ports import Emit, Watcher


class Watching:
    """Starts and stops watchers: some for the whole run, probes only while the load runs."""

    def __init__(self, *, always: Sequence[Watcher], probes: Sequence[Watcher]) -> None:
        self._always, self._probes = tuple(always), tuple(probes)

    def start(self, emit: Emit) -> None:
        """Begin what watches for the whole run."""
        for watcher in self._always:
            watcher.start(emit)

    def start_probes(self, emit: Emit) -> None:
        """Begin to look through the proxies."""
        for watcher in self._probes:
            watcher.start(emit)

    def stop_probes(self) -> None:
        """End that. Idempotent."""
        for watcher in self._probes:
            watcher.stop()

    def stop(self) -> None:
        """End everything. Idempotent."""
        self.stop_probes()
        for watcher in reversed(self._always):
            watcher.stop()
