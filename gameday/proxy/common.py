"""What the connections of one proxy have in common: counts of HTTP faults, and a shared rate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from gameday.proxy.http_rule import Tally
from gameday.proxy.pipe import Pipe
from gameday.proxy.toxic import Toxic


@dataclass(slots=True)
class HttpCounts:
    """What HTTP toxics saw: requests, connections that were no HTTP, and those given up.

    `ambiguous` ones began as HTTP and then had something that could be read in two ways.
    """

    requests: int = 0
    not_http: int = 0
    ambiguous: int = 0


class Common:
    """State that belongs to a toxic of a proxy and not to one connection."""

    __slots__ = ("_loop", "_pipes", "_tallies", "http")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pipes: dict[str, Pipe] = {}
        self._tallies: dict[str, Tally] = {}
        self.http = HttpCounts()

    def tally(self, toxic: Toxic) -> Tally:
        """Return the counts of an HTTP toxic, made when they are first asked for."""
        return self._tallies.setdefault(toxic.name, Tally())

    def pipe(self, toxic: Toxic) -> Pipe:
        """Return what carries the traffic of all connections that a `proxy_bandwidth` touches."""
        pipe = self._pipes.get(toxic.name)
        if pipe is None:
            pipe = self._pipes[toxic.name] = Pipe(self._loop)
        pipe.rate = int(toxic.attributes["rate"])
        return pipe

    def forget(self, name: str) -> None:
        """Drop what belongs to a toxic that was taken out."""
        self._pipes.pop(name, None)
        self._tallies.pop(name, None)

    def shown(self, toxics: Iterable[Toxic]) -> dict[str, object]:
        """Return the counts for the health page; `faults` has the HTTP toxics by name."""
        faults = {}
        for toxic in toxics:
            if toxic.http:
                tally = self.tally(toxic)
                faults[toxic.name] = {"matched": tally.matched, "hit": tally.hit}
        return {
            "requests": self.http.requests,
            "not_http": self.http.not_http,
            "ambiguous": self.http.ambiguous,
            "faults": faults,
        }
