"""The edge: spreads requests over the gateways, leaves out the ones that do not answer."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict

from gameday.demo.certificates import Endpoint
from gameday.demo.clock import OFF_S, ahead_s
from gameday.demo.dependency import ANSWER_BY, NAIVE_RETRIES, NAIVE_TIMEOUT_S
from gameday.demo.ledger import ledger_or_why
from gameday.demo.metrics import Metrics
from gameday.demo.resilience import Clock, Limiter, Recent
from gameday.demo.settings import Settings, report_status
from gameday.demo.topology import GATEWAYS
from gameday.demo.web import (
    Answer,
    BadRequest,
    Call,
    CallFailed,
    CallTimedOut,
    Client,
    Reply,
    Route,
    Server,
    busy_reply,
)

MAX_BUSY = 256
#: What monitoring is told is a bad release: the share of answers that are a bug.
BUGS = 0.1
_TRY_WITHIN_S = 2.0
_CHECK_EVERY_S, _CHECK_WITHIN_S, _CHECKS_TO_FAIL = 1.0, 0.5, 2
#: A round of checks that is older than this is none.
_LOOK_WITHIN_S = 4.0
_FAILURES_TO_EJECT, _EJECT_S, _EJECT_MOST_S = 5, 5.0, 30.0
#: Answers that speak against the gateway itself; 503 is an honest refusal, not a fault.
_TROUBLE = (500, 502, 504)
_PASS_ON = ("Content-Type", "Idempotency-Key", "X-Request-Id")
_PASS_BACK = ("Retry-After", "X-Order-Id", "X-Order-Status")


class Upstream:
    """One gateway as the balancer sees it."""

    def __init__(self, name: str, url: str, clock: Clock) -> None:
        self.name, self.url = name, url
        self.healthy = True
        self.ahead_s = 0.0  # its clock, compared with ours
        self.recent = Recent(clock)  # of its answers, those that are a bug: 500
        self._clock = clock
        self._failed_checks = 0
        self._failures = 0
        self._ejections = 0
        self._out_until = 0.0

    @property
    def available(self) -> bool:
        """Whether it should get requests now."""
        return self.healthy and self._clock() >= self._out_until

    def checked(self, ok: bool) -> None:
        """A health check ended."""
        self._failed_checks = 0 if ok else self._failed_checks + 1
        self.healthy = self._failed_checks < _CHECKS_TO_FAIL

    def answered(self, ok: bool) -> bool:
        """A request ended. Whether there were too many failures in a row now."""
        self._failures = 0 if ok else self._failures + 1
        return self._failures >= _FAILURES_TO_EJECT

    def eject(self) -> None:
        """Leave it out for a while, longer each time."""
        self._failures = 0
        self._ejections += 1
        self._out_until = self._clock() + min(_EJECT_MOST_S, _EJECT_S * self._ejections)


class Pool:
    """The gateways in turn. With none available all get requests: a guess beats a sure failure."""

    def __init__(self, upstreams: tuple[Upstream, ...]) -> None:
        self.upstreams = upstreams
        self._turn = 0

    def next(self, not_this: Upstream | None = None) -> Upstream:
        """Whom to ask; not *not_this* if there is any other."""
        choice = [u for u in self.upstreams if u.available] or list(self.upstreams)
        others = [u for u in choice if u is not not_this] or choice
        self._turn += 1
        return others[self._turn % len(others)]


class Balancer:
    """Forwards requests; once more to another gateway where that cannot do harm."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self.client = Client()
        self.endpoint = Endpoint(settings)
        self.pool = Pool(
            tuple(Upstream(name, settings.url(name), time.monotonic) for name in GATEWAYS)
        )
        for upstream in self.pool.upstreams:
            metrics.expect(upstream.name)
        self.watching = True
        self._looked_at = time.monotonic()
        self._acknowledged = settings.acknowledged.open("a", encoding="utf-8")

    async def forward(self, call: Call) -> Reply:
        """Any request of the shop."""
        headers = {k: call.headers[k] for k in _PASS_ON if k in call.headers}
        answer: Answer | Reply
        if self._settings.naive:
            answer = await self._naively(call, headers)
        else:
            if call.method == "POST":
                # Ours, when the customer sent none: it makes our own second try harmless.
                headers.setdefault("Idempotency-Key", uuid.uuid4().hex)
            answer = await self._carefully(call, headers)
        if isinstance(answer, Reply):
            return answer
        if call.method == "POST" and answer.status < 300:
            self._write_down(answer, headers.get("Idempotency-Key"))
        return Reply(
            status=answer.status,
            body=answer.body,
            content_type=answer.headers.get("Content-Type", "application/octet-stream"),
            headers={k: answer.headers[k] for k in _PASS_BACK if k in answer.headers},
        )

    async def _carefully(self, call: Call, headers: Mapping[str, str]) -> Answer | Reply:
        upstream = self.pool.next()
        try:
            answer = await self._try(upstream, call, headers, _TRY_WITHIN_S)
            if answer.status != 500:
                return answer
        except CallFailed:
            pass
        self._count_retry()
        try:
            return await self._try(self.pool.next(upstream), call, headers, _TRY_WITHIN_S)
        except CallTimedOut as error:
            return Reply(status=504, data={"error": str(error)})
        except CallFailed as error:
            return Reply(status=502, data={"error": str(error)})

    async def _naively(self, call: Call, headers: dict[str, str]) -> Answer:
        # A time of day, by our clock: a gateway with another one refuses what is on time.
        headers[ANSWER_BY] = f"{time.time() + NAIVE_TIMEOUT_S:.3f}"
        for _ in range(NAIVE_RETRIES):
            try:
                return await self._try(self.pool.next(), call, headers, NAIVE_TIMEOUT_S)
            except CallFailed:
                self._count_retry()
        return await self._try(self.pool.next(), call, headers, NAIVE_TIMEOUT_S)

    async def _try(
        self, upstream: Upstream, call: Call, headers: Mapping[str, str], within_s: float
    ) -> Answer:
        started, outcome = time.perf_counter(), "error"
        try:
            answer = await self.client.call(
                call.method,
                upstream.url + call.target,
                within_s=within_s,
                body=call.body,
                headers=headers,
            )
            outcome = "error" if answer.status in _TROUBLE else "ok"
            upstream.recent.attempted(failed=answer.status == 500)
        except CallTimedOut:
            outcome = "timeout"
            raise
        else:
            return answer
        finally:
            self._metrics.attempted(upstream.name, outcome, time.perf_counter() - started)
            self._judge(upstream, outcome)

    def _judge(self, upstream: Upstream, outcome: str) -> None:
        # At most one of three is left out: when all of them fail, it is not the gateways, and the
        # ones left would only be buried under the load of the others.
        others = [u for u in self.pool.upstreams if u is not upstream]
        too_many = upstream.answered(outcome == "ok")
        # One that is out already is not put out for longer by what it had under way.
        out = self._settings.naive or not upstream.available
        if too_many and not out and all(u.available for u in others):
            upstream.eject()
            self._metrics.count("ejections", "Gateways left out.", upstream=upstream.name)

    def _count_retry(self) -> None:
        self._metrics.count("dependency_retries", "Attempts beyond the first.", dep="gateway")

    async def gateways(self, _: Call) -> Reply:
        """`GET /status/gateways`: 503 while one of them is left out. The naive shop never looks."""
        out = [upstream.name for upstream in self.pool.upstreams if not upstream.available]
        if out and not self._settings.naive:
            return busy_reply(f"{', '.join(out)} left out")
        return Reply(data={"gateways": len(self.pool.upstreams)})

    async def releases(self, _: Call) -> Reply:
        """`GET /status/releases`: 503 while one of them answers many requests with a bug."""
        bad = [u.name for u in self.pool.upstreams if u.recent.failing > BUGS]
        if bad and not self._settings.naive:
            return busy_reply(f"{', '.join(bad)} answers with 500")
        return Reply(data={"gateways": len(self.pool.upstreams)})

    async def clocks(self, _: Call) -> Reply:
        """`GET /status/clocks`: 503 while the clock of a gateway is wrong. Naive: never seen."""
        wrong = {u.name: u.ahead_s for u in self.pool.upstreams if abs(u.ahead_s) > OFF_S}
        if wrong:
            return busy_reply(", ".join(f"{name} is {s:+.0f} s off" for name, s in wrong.items()))
        return Reply(data={"gateways": len(self.pool.upstreams)})

    async def ledger(self, _: Call) -> Reply:
        """`GET /ledger`: whether what was told, stored and charged agree. Reads alone."""
        report = await asyncio.to_thread(ledger_or_why, self._settings)
        return busy_reply(report) if isinstance(report, str) else Reply(data=asdict(report))

    def _write_down(self, answer: Answer, key: str | None) -> None:
        entry = {
            "order": answer.headers.get("X-Order-Id"),
            "status": answer.headers.get("X-Order-Status"),
            "key": key,
            "t": time.time(),
        }
        self._acknowledged.write(json.dumps(entry) + "\n")
        self._acknowledged.flush()

    async def check(self, upstream: Upstream) -> bool:
        """One health check."""
        try:
            answer = await self.client.call(
                "GET", upstream.url + "/healthz", within_s=_CHECK_WITHIN_S
            )
            ok = answer.status == 200
            upstream.ahead_s = ahead_s(answer.headers.get("Date"), time.time())
        except CallFailed:
            ok = False
        upstream.checked(ok)
        self._metrics.gauge(
            "gateway_clock_ahead_seconds", "Compared with ours.", upstream=upstream.name
        ).set(upstream.ahead_s)
        self._metrics.gauge(
            "balancer_upstream_available", "1: gets requests.", upstream=upstream.name
        ).set(upstream.available)
        return ok

    async def watch(self) -> None:
        """Check all gateways, for ever."""
        while True:
            if self.watching:
                checks = (self.check(upstream) for upstream in self.pool.upstreams)
                await asyncio.gather(self.shake_hands(), *checks)
                self._looked_at = time.monotonic()
                self._metrics.gauge(
                    "balancer_last_look_timestamp_seconds", "When all gateways were looked at."
                ).set(time.time())
            await asyncio.sleep(_CHECK_EVERY_S)

    async def shake_hands(self) -> None:
        """Look at the TLS endpoint as its clients do."""
        good = await self.endpoint.look()
        self._metrics.gauge("tls_handshake_ok", "1: clients take the certificate.").set(good)

    async def tls(self, _: Call) -> Reply:
        """`GET /status/tls`: 503 while clients refuse the certificate. Naive: never seen."""
        if self.endpoint.problem:
            return busy_reply(f"clients refuse the certificate: {self.endpoint.problem}")
        return Reply(data={"tls": "taken"})

    async def watch_status(self, _: Call) -> Reply:
        """`GET /status/watch`: 503 when nobody has looked at the gateways for a while.

        The naive shop does not ask who looks after those who look.
        """
        age_s = time.monotonic() - self._looked_at
        if age_s > _LOOK_WITHIN_S and not self._settings.naive:
            return busy_reply(f"nobody has looked at the gateways for {age_s:.0f} s")
        return Reply(data={"watch": "on"})

    async def watch_set(self, call: Call) -> Reply:
        """`POST /admin/watch` with `{"on": false}`: the watch stops, as by a bug of its own."""
        on = call.json().get("on")
        if not isinstance(on, bool):
            raise BadRequest("`on` must be true or false")
        self.watching = on
        return await self.watch_show(call)

    async def watch_show(self, _: Call) -> Reply:
        """`GET /admin/watch`."""
        return Reply(data={"watch": "on" if self.watching else "off"})


async def run(settings: Settings, name: str, stopped: asyncio.Event) -> None:
    """Serve until *stopped*."""
    metrics = Metrics(name)
    balancer = Balancer(settings, metrics)
    server = Server(metrics, None if settings.naive else Limiter(MAX_BUSY))
    server.add(
        Route(method="GET", path="/status/gateways", handler=balancer.gateways, shed=False),
        Route(method="GET", path="/status/releases", handler=balancer.releases, shed=False),
        Route(method="GET", path="/status/clocks", handler=balancer.clocks, shed=False),
        Route(method="GET", path="/status/tls", handler=balancer.tls, shed=False),
        Route(method="GET", path="/status/watch", handler=balancer.watch_status, shed=False),
        Route(method="GET", path="/admin/watch", handler=balancer.watch_show, shed=False),
        Route(method="POST", path="/admin/watch", handler=balancer.watch_set, shed=False),
    )
    for method, path in (
        ("GET", "/products"),
        ("GET", "/products/{sku}"),
        ("GET", "/orders/{id}"),
        ("GET", "/status/{dependency}"),
        ("POST", "/checkout"),
    ):
        server.add(Route(method=method, path=path, handler=balancer.forward))
    server.add(Route(method="GET", path="/ledger", handler=balancer.ledger, shed=False))
    await server.start(settings.topology.part(name).port)
    await server.also(settings.topology.tls_port, balancer.endpoint.server)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, balancer.endpoint.reload)
    watch = asyncio.ensure_future(_watch(balancer, settings, name))
    await stopped.wait()
    watch.cancel()
    await server.stop()
    await balancer.client.close()


async def _watch(balancer: Balancer, settings: Settings, name: str) -> None:
    """Check the gateways for ever; ready when every one answered once."""
    for upstream in balancer.pool.upstreams:
        while not await balancer.check(upstream):
            waiting = f"{upstream.name} at {upstream.url}: no answer"
            report_status(settings, name, ready=False, waiting=waiting)
            await asyncio.sleep(0.03)
    report_status(settings, name, ready=True)
    if not settings.naive:  # which takes for granted that they are there
        await balancer.watch()
