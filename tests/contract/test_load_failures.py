"""Every way in which a request can fail is told apart, with both of Locust's HTTP clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from load_support import Server, closed_port, journey, running

from gameday.adapters.locust.once import once
from gameday.model.histogram import quantile_ms
from gameday.model.scenario import LoadSpec

TIMEOUT_MS = 700
OUTCOME = {
    "/ok": "ok",
    "/500": "http_5xx",
    "/404": "http_4xx",
    "/slow": "timeout",
    "/drip": "timeout",
    "/cut": "connection",
    "/hangup": "connection",
    "/reset": "connection",
    "refused": "connection",
}
OWN = '''
"""Tasks that fail in every way; classes with the client named on the command line of the test."""
import gevent
from locust import {base}, task, SequentialTaskSet, constant

class Ways(SequentialTaskSet):
    {tasks}

    @task
    def judged(self):
        with self.client.get("/ok", name="judged", catch_response=True) as answer:
            answer.failure("not what I wanted")

    @task
    def judged_500(self):
        with self.client.get("/500", name="judged 500", catch_response=True) as answer:
            answer.failure("no good")

    @task
    def forgiven(self):
        with self.client.get("/404", name="forgiven", catch_response=True) as answer:
            answer.success()

    @task
    def crashed_after(self):
        self.client.get("/ok", name="fine")
        raise KeyError("price")

    @task
    def crashed_inside(self):
        with self.client.get("/ok", name="crashed inside", catch_response=True) as answer:
            answer.no_such_thing()

    @task
    def raised_for_status(self):
        self.client.get("/500", name="raised").raise_for_status()

    @task
    def no_url(self):
        self.client.get("http://[", name="no url")

class Shopper({base}):
    wait_time = constant(60)
    tasks = [Ways]
    def on_start(self):
        self.client.get("/ok", name="login")
'''


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def paths(server: Server) -> dict[str, str]:
    refused = f"http://127.0.0.1:{closed_port()}/"
    return {name: refused if name == "refused" else name for name in OUTCOME}


def test_outcomes_of_generated_journeys(server: Server, tmp_path: Path) -> None:
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=36,
        timeout_ms=TIMEOUT_MS,
        journeys=(
            *(journey(name, path) for name, path in paths(server).items()),
            journey("expected", "/503", status=503),
            journey("unexpected", "/ok", status=201),
            journey("given up", "/501", "/never"),
        ),
    )
    with running(spec, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"])
        run.load.stop()

    heard = run.heard
    found = set(heard.counts("journey", "outcome"))
    assert found == {
        *OUTCOME.items(), ("expected", "ok"), ("unexpected", "expectation"),
        ("given up", "http_5xx"),
    }  # fmt: skip
    # one request is one request: the client sends nothing twice
    sent = heard.counts("name")
    for path in ("/500", "/404", "/cut", "/hangup", "/reset", "/slow", "/drip"):
        assert server.seen[path] == sent[path] > 0
    assert server.seen["/never"] == 0
    for path in ("/slow", "/drip"):
        waited = quantile_ms(heard.response(name=path), 0.5)
        assert waited == pytest.approx(TIMEOUT_MS, abs=250)
    assert all(agent.startswith("gameday/") for agent in server.agents)


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_outcomes_of_a_locustfile(server: Server, tmp_path: Path, base: str) -> None:
    tasks = "\n    ".join(
        f"@task\n    def t{i}(self): self.client.get({path!r}, name={name!r})"
        for i, (name, path) in enumerate(paths(server).items())
    )
    file = tmp_path / "ways.py"
    file.write_text(OWN.format(base=base, tasks=tasks))
    spec = LoadSpec(target="shop", arrivals_per_s=60, timeout_ms=TIMEOUT_MS, locustfile=str(file))
    expected = {
        *OUTCOME.items(), ("login", "ok"), ("judged", "expectation"), ("judged 500", "http_5xx"),
        ("forgiven", "ok"), ("fine", "ok"), ("crashed_after", "other"),
        ("crashed inside", "other"), ("raised", "http_5xx"), ("no url", "other"),
    }  # fmt: skip
    with running(spec, server.url, tmp_path) as run:
        run.heard.wait(lambda r: expected <= set(r.counts("name", "outcome")))
        facts = run.load.stop()

    heard = run.heard
    assert set(heard.counts("name", "outcome")) == expected
    assert {cell.journey for cell in heard.cells} == {"Shopper"}
    assert facts["started"] == facts["asked"]
    assert facts["unserved"] == 0
    seen, sent = server.seen, heard.counts("name")
    assert seen["/hangup"] == sent["/hangup"]
    assert seen["/reset"] == sent["/reset"]
    counted = sum(sent.values()) - sent["crashed_after"] - sent["no url"] - sent["refused"]
    assert sum(seen.values()) == counted
    # only users that were needed have logged in
    assert sent["login"] < 0.7 * facts["started"]


def test_each_journey_once(server: Server) -> None:
    spec = LoadSpec(
        target="shop",
        users=5,
        timeout_ms=TIMEOUT_MS,
        journeys=(journey("browse", "/ok", "/404?q=1"), journey("buy", "/hangup")),
    )
    answers = once(spec, server.url)
    told = [(a.journey, a.method, a.path, a.status, a.outcome, a.body) for a in answers]
    assert told == [
        ("browse", "GET", "/ok", 200, "ok", "ok"),
        ("browse", "GET", "/404?q=1", 404, "http_4xx", "ok"),
        ("buy", "GET", "/hangup", 0, "connection", ""),
    ]
    assert answers[2].error


def test_each_task_of_a_locustfile_once(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "shopper.py"
    file.write_text(
        "from locust import HttpUser, task\n"
        "class Shopper(HttpUser):\n"
        "    @task(3)\n"
        "    def browse(self): self.client.get('/a')\n"
        "    @task\n"
        "    def buy(self): self.client.get('/b')\n"
    )
    spec = LoadSpec(target="shop", arrivals_per_s=100, locustfile=str(file))
    assert [(a.request, a.status) for a in once(spec, server.url)] == [("/a", 200), ("/b", 200)]


def test_what_there_was_no_time_for_is_told_and_not_left_out(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "slow.py"
    file.write_text(
        "import time\n"
        "from locust import HttpUser, task\n"
        "class Slow(HttpUser):\n"
        "    @task\n"
        "    def first(self):\n"
        "        self.client.get('/ok')\n"
        "        time.sleep(30)\n"
        "    @task\n"
        "    def second(self):\n"
        "        self.client.get('/ok')\n"
    )
    spec = LoadSpec(target="t", arrivals_per_s=1.0, locustfile=str(file), timeout_ms=1_000)

    answers = once(spec, server.url, limit_s=2.0)

    assert [(a.request, a.outcome, a.status) for a in answers] == [
        ("/ok", "ok", 200),
        ("(not ended)", "timeout", 0),
        ("(not begun)", "timeout", 0),
    ]


SILENT = """
from locust import HttpUser, task
class Raises(HttpUser):
    @task
    def broken(self):
        raise KeyError("price")
    @task
    def broken_later(self):
        self.client.get("/ok")
        raise ValueError("no total")
class Silent(HttpUser):
    @task
    def nothing(self): pass
class Locked(HttpUser):
    def on_start(self):
        raise PermissionError("the login did not work")
    @task
    def browse(self): self.client.get("/ok")
"""


def test_a_visit_that_raises_or_sends_nothing_is_told_and_is_no_success(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "silent.py"
    file.write_text(SILENT)
    spec = LoadSpec(
        target="t",
        arrivals_per_s=10.0,
        locustfile=str(file),
        classes=("Raises", "Silent", "Locked"),
        timeout_ms=1_000,
    )

    answers = once(spec, server.url, limit_s=5.0)

    assert [(a.journey, a.request, a.outcome, a.error) for a in answers if a.outcome != "ok"] == [
        ("Raises", "(broken)", "other", "KeyError: 'price'"),
        ("Raises", "(broken_later)", "other", "ValueError: no total"),
        ("Silent", "(no request)", "other", "it sent no request that could be seen"),
        ("Locked", "(on_start)", "other", "PermissionError: the login did not work"),
    ]
    assert [a.request for a in answers if a.outcome == "ok"] == ["/ok"]
