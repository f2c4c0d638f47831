"""The shop's Prometheus metrics. The only module that knows `prometheus_client`."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

#: Dense around the objectives: 400 ms (payments), 500 ms (the SLO), 600 ms (the client gives up),
#: 1 s (what a customer bears): a quantile near a limit must not be interpolated over nothing.
BUCKETS_S = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65,
    0.75, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0,
)  # fmt: skip

OUTCOMES = ("ok", "timeout", "error", "rejected")
BREAKER_STATES = ("closed", "limited", "open")


class Metrics:
    """All series of one part. Children of labelled series are looked up once."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Answered requests.", ("service", "route", "code"), registry=registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time to answer.",
            ("service", "route"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._dep_requests = Counter(
            "dependency_requests",
            "Attempts to call a dependency, and calls not made (rejected).",
            ("dep", "outcome"),
            registry=registry,
        )
        self._dep_duration = Histogram(
            "dependency_request_duration_seconds",
            "Time of one attempt.",
            ("dep",),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._request_child = lru_cache(maxsize=1000)(self._requests.labels)
        self._duration_child = lru_cache(maxsize=1000)(self._duration.labels)
        self._dep_child = lru_cache(maxsize=1000)(self._dep_requests.labels)
        self._dep_duration_child = lru_cache(maxsize=1000)(self._dep_duration.labels)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One request of our own was answered."""
        self._request_child(self.service, route, str(status)).inc()
        self._duration_child(self.service, route).observe(seconds)

    def attempted(self, dep: str, outcome: str, seconds: float) -> None:
        """One attempt to call *dep* ended: ok, timeout or error."""
        self._dep_child(dep, outcome).inc()
        self._dep_duration_child(dep).observe(seconds)

    def expect(self, dep: str) -> None:
        """Show *dep* with zeros from the start: a rate over a series that just appeared is none."""
        for outcome in OUTCOMES:
            self._dep_child(dep, outcome)
        self._dep_duration_child(dep)

    def rejected(self, dep: str) -> None:
        """A call to *dep* was not made: its breaker said no."""
        self._dep_child(dep, "rejected").inc()

    def breaker(self, dep: str, state: str) -> None:
        """The breaker of *dep* is in *state* now (one series a state, 1 for the present one)."""
        for other in BREAKER_STATES:
            self.gauge("breaker_state", "1 for the present state.", dep=dep, state=other).set(
                other == state
            )

    def gauge(self, name: str, text: str, **labels: str) -> Gauge:
        """The gauge *name*, made at its first use."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, text, tuple(labels), registry=self._registry)
        return self._gauges[name].labels(**labels) if labels else self._gauges[name]

    def count(self, name: str, text: str, by: float = 1, **labels: str) -> None:
        """Add *by* to the counter *name*, made at its first use."""
        if name not in self._counters:
            self._counters[name] = Counter(name, text, tuple(labels), registry=self._registry)
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(by)

    def page(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
