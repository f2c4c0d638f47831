"""Byte counters, counted while the bytes flow, and their Prometheus text."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_SERIES = 20_000

Key = tuple[str, str, str, str]
"""Direction, listener, proxy name, upstream: the labels in the order in which they are written."""


class Counter:
    """Bytes of one direction of one proxy: read from one side, written to the other."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


class Traffic:
    """All counters since the start; a proxy that is created again as it was goes on counting."""

    def __init__(self) -> None:
        self._counters: dict[Key, Counter] = {}

    def counter(self, *, direction: str, proxy: str, listener: str, upstream: str) -> Counter:
        """Return the counter with these labels."""
        key = (direction, listener, proxy, upstream)
        found = self._counters.get(key)
        if found is None:
            if len(self._counters) >= _MAX_SERIES:  # a limit on everything: forget the oldest
                del self._counters[next(iter(self._counters))]
            found = self._counters[key] = Counter()
        return found

    def by_proxy(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return bytes by proxy name, direction and `received` or `sent`."""
        totals: dict[str, dict[str, dict[str, int]]] = {}
        for (direction, _, proxy, _), counter in self._counters.items():
            total = totals.setdefault(proxy, {}).setdefault(direction, {"received": 0, "sent": 0})
            total["received"] += counter.received
            total["sent"] += counter.sent
        return totals

    def exposition(self) -> bytes:
        """Return all counters in the Prometheus text format."""
        items = sorted(self._counters.items())
        return "".join(
            [
                *_family("received", ((key, counter.received) for key, counter in items)),
                *_family("sent", ((key, counter.sent) for key, counter in items)),
            ]
        ).encode("utf-8", "replace")


def _family(what: str, samples: Iterable[tuple[Key, int]]) -> list[str]:
    name = f"toxiproxy_proxy_{what}_bytes_total"
    lines = [f"# HELP {name} \n# TYPE {name} counter\n"]
    for (direction, listener, proxy, upstream), value in samples:
        labels = ",".join(
            f'{label}="{_escaped(text)}"'
            for label, text in (
                ("direction", direction),
                ("listener", listener),
                ("proxy", proxy),
                ("upstream", upstream),
            )
        )
        lines.append(f"{name}{{{labels}}} {value}\n")
    return lines if len(lines) > 1 else []


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
