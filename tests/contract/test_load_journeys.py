"""What journeys can say, each held against a real server by the real load process."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from journey_support import Asked, Reply, Shop, shop
from load_support import Recorder, running

from gameday.adapters.locust.agent_feeds import Feeds
from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.locust.once import once
from gameday.model.histogram import count, quantile_ms
from gameday.model.scenario import (
    Auth,
    Capture,
    Expect,
    Feeder,
    Journey,
    LoadSpec,
    RequestStep,
    Upload,
)


def step(path: str, expect: Expect | None = None, name: str = "") -> RequestStep:
    return RequestStep(method="GET", path=path, name=name or path, expect=expect or Expect())


#: What is expected of an answer -> the outcome, and what is said about it.
ANSWER = Reply.of({"items": [{"sku": "A1", "n": 1}], "ok": True}, headers=(("X-Kind", "list"),))
EXPECTED: dict[str, tuple[Expect, str, str]] = {
    "status": (Expect(status=200), "ok", ""),
    "other status": (Expect(status=201), "expectation", "status 200, not 201"),
    "header": (Expect(headers={"x-kind": "list"}), "ok", ""),
    "other header": (Expect(headers={"X-Kind": "one"}), "expectation",
                     'header `X-Kind` is "list", not "one"'),
    "no header": (Expect(headers={"X-None": "one"}), "expectation",
                  'header `X-None` is missing, not "one"'),
    "json": (Expect(json={"items[0].sku": "A1", "length(items) > `0`": True}), "ok", ""),
    "number": (Expect(json={"items[0].n": 1.0}), "ok", ""),
    "true is not 1": (Expect(json={"items[0].n": True}), "expectation",
                      "json `items[0].n` is 1, not true"),
    "absent": (Expect(json={"error": None}), "ok", ""),
    "other json": (Expect(json={"items[0].sku": "B2"}), "expectation",
                   'json `items[0].sku` is "A1", not "B2"'),
    "does not fit": (Expect(json={"length(ok)": 1}), "expectation",
                     "json `length(ok)` is missing, not 1"),
    "text": (Expect(text='"sku": "A1"'), "ok", ""),
    "other text": (Expect(text="sold out"), "expectation", 'the text "sold out" is not in it'),
    "in time": (Expect(under_ms=60_000), "ok", ""),
    "too late": (Expect(under_ms=1), "expectation", ""),
}  # fmt: skip


def test_each_expectation_of_an_answer() -> None:
    journeys = tuple(
        Journey(name=name, steps=(step("/list", expect),))
        for name, (expect, _, _) in EXPECTED.items()
    )
    spec = LoadSpec(target="shop", arrivals_per_s=1, journeys=journeys)
    with shop(list=Reply(**{**vars(ANSWER), "after_s": 0.01})) as server:
        answers = once(spec, server.url)

    found = {answer.journey: (answer.outcome, answer.error) for answer in answers}
    late = found.pop("too late")
    assert found == {n: wanted[1:] for n, wanted in EXPECTED.items() if n != "too late"}
    assert late[0] == "expectation"
    assert late[1].startswith("answered after ")
    assert late[1].endswith(" ms, not under 1 ms")


def test_answers_that_are_no_json_or_no_answer() -> None:
    wanted = Expect(json={"a": 1}, text="ü")
    paths = ("/page", "/broken", "/none")
    journeys = tuple(Journey(name=path, steps=(step(path, wanted),)) for path in paths)
    latin = (("Content-Type", "text/plain; charset=latin-1"),)
    with shop(
        page=Reply(body="für".encode("latin-1"), headers=latin), broken=Reply(status=503)
    ) as server:
        answers = once(LoadSpec(target="x", arrivals_per_s=1, journeys=journeys), server.url)

    assert {a.journey: (a.outcome, a.error) for a in answers} == {
        "/page": ("expectation", "not JSON"),
        "/broken": ("http_5xx", "status 503"),
        "/none": ("http_4xx", "status 404"),
    }


def test_under_counts_the_first_step_from_the_intended_start(tmp_path: Path) -> None:
    """One user, busy for 0.4 s each time: who comes meanwhile has waited, whatever the answer."""
    limit = Expect(under_ms=200)
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=5,
        timeout_ms=3_000,
        journeys=(
            Journey(name="two", steps=(step("/fast", limit), step("/slow", Expect(under_ms=900)))),
            Journey(name="late", steps=(step("/slow", limit, name="late"),)),
        ),
    )
    with shop(fast=Reply(), slow=Reply(after_s=0.4)) as server, \
            running(spec, server.url, tmp_path) as run:  # fmt: skip
        run.heard.wait_second(run.facts["first_second"] + 1)
        run.load.stop()
        found = set(run.heard.counts("name", "outcome"))
    assert found == {("/fast", "ok"), ("/slow", "ok"), ("late", "expectation")}
    # a step that failed for its time is in the numbers with that time
    assert quantile_ms(run.heard.response(name="late"), 0.5) == pytest.approx(400, abs=250)


def test_visitors_think_between_steps_and_enough_of_them_stand_by(tmp_path: Path) -> None:
    spec = LoadSpec(
        target="shop",
        arrivals_per_s=20,
        timeout_ms=1_000,
        journeys=(
            Journey(name="look", steps=(step("/a"), step("/b"), step("/c")), think_ms=(300, 600)),
        ),
    )
    with shop(a=Reply(), b=Reply(), c=Reply()) as server:
        with running(spec, server.url, tmp_path) as run:
            run.heard.wait_second(run.facts["first_second"] + 3)
            facts = run.load.stop()
            users = run.facts["users"]
        by_visitor: dict[int, list[tuple[str, float]]] = {}
        for one in server.asked:
            by_visitor.setdefault(one.connection, []).append((one.path, one.at_s))

    pauses = [
        after[1] - before[1]
        for asked in by_visitor.values()
        for before, after in pairwise(asked)
        if after[0] != "/a"
    ]
    assert len(pauses) > 40
    assert min(pauses) > 0.29
    assert max(pauses) - min(pauses) > 0.1, "drawn, not fixed"
    assert users == 59, "20/s for 1 s of waiting and 1.2 s of thinking, a tenth more, and ten"
    assert facts["unserved"] == 0
    # who thinks when the load ends goes home: nothing failed, and no step is made up
    assert set(run.heard.counts("outcome")) == {"ok"}
    assert sum(count(c.response) for c in run.heard.cells) == len(server.asked)


def post(path: str, **more: Any) -> RequestStep:
    return RequestStep(method="POST", path=path, name=more.pop("name", path), **more)


CAPTURES = {
    "order": Capture(json="order.id"),
    "token": Capture(header="X-Token"),
    "sku": Capture(regex=r'"sku": "(\w+)"'),
    "word": Capture(regex=r"A\d"),
}


def test_captured_values_are_passed_on(tmp_path: Path) -> None:
    made = Reply.of({"order": {"id": 17, "sku": "A1/b c"}}, headers=(("X-Token", "t ö/?k"),))
    seen = post(
        "/seen/{{ order }}/{{token}}?sku={{ sku }}",
        name="POST /seen/[order]",
        headers={"X-Order": "no. {{ order }}"},
        json={"id": "{{ order }}", "text": "{{ order }} {{ word }}", "all": ["{{ sku }}"]},
        expect=Expect(json={"id": "{{ order }}"}, text="A1 {{ order }}", headers={"X": "{{sku}}"}),
    )
    raw = post("/raw", body="order={{ order }}")
    steps = (post("/order", capture=CAPTURES), seen, raw)
    spec = LoadSpec(
        target="x",
        arrivals_per_s=1,
        journeys=(Journey(name="buy", steps=steps), Journey(name="two", steps=steps)),
    )
    made = replace(made, body=made.body.replace(b"A1/b c", b"A1"))
    answer = Reply.of({"id": 17, "t": "A1 17"}, headers=(("X", "A1"),))
    replies = {"/order": made, "/seen/17/t%20%C3%B6%2F%3Fk": answer, "/raw": Reply()}
    with shop() as server:
        server.replies.update(replies)
        answers = once(spec, server.url)

    assert [(a.request, a.outcome, a.error) for a in answers] == [
        ("/order", "ok", ""), ("POST /seen/[order]", "ok", ""), ("/raw", "ok", ""),
    ] * 2  # fmt: skip
    _, asked, plain = server.asked[:3]
    assert asked.path == "/seen/17/t%20%C3%B6%2F%3Fk?sku=A1"
    assert asked.headers["x-order"] == "no. 17"
    assert json.loads(asked.body) == {"id": 17, "text": "17 A1", "all": ["A1"]}
    assert plain.body == b"order=17"


@pytest.mark.parametrize("name", CAPTURES)
def test_nothing_to_capture_is_a_failure_and_ends_the_journey(name: str) -> None:
    steps = (post("/order", capture={name: CAPTURES[name]}), post("/never"))
    spec = LoadSpec(target="x", arrivals_per_s=1, journeys=(Journey(name="buy", steps=steps),) * 2)
    nothing = Reply.of({"order": {"id": None}}, headers=(("X-Token", ""),))
    with shop(order=nothing, never=Reply()) as server:
        answers = once(spec, server.url)
    assert [(a.outcome, a.error) for a in answers] == [
        ("expectation", f"nothing to capture `{name}` from")
    ] * 2
    assert server.paths() == ["/order"] * 2


def test_each_visit_has_its_own_values(tmp_path: Path) -> None:
    """Visitors are used again and again; what one has captured is never seen by another."""
    steps = (
        post("/order", capture={"order": Capture(json="id")}),
        post("/seen", json={"id": "{{ order }}"}),
    )
    spec = LoadSpec(target="x", arrivals_per_s=40, journeys=(Journey(name="buy", steps=steps),))
    with shop(kind=Counting) as server, running(spec, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        run.load.stop()
        seen = [json.loads(one.body)["id"] for one in server.asked if one.path == "/seen"]
        orders = server.paths().count("/order")
    assert len(seen) >= 40
    assert sorted(seen) == list(range(1, orders + 1))


class Counting(Shop):
    """Gives every order a number of its own."""

    count = 0

    def reply(self, asked: Asked) -> Reply:
        with self.lock:
            self.count += asked.path == "/order"
            return Reply.of({"id": self.count})


def fed(spec: LoadSpec, **columns: tuple[str, list[str]]) -> LoadSpec:
    """With the columns `name=(pick, values)`, each from a file of its name up to the first `_`."""
    data = {
        name: Feeder(csv=name.partition("_")[0], column=name, pick=pick, values=tuple(values))
        for name, (pick, values) in columns.items()
    }
    return replace(spec, data=data)


NUMBERS = [str(n) for n in range(50)]


@pytest.mark.parametrize("seed", [3, 4])
def test_visits_get_values_of_columns(seed: int, tmp_path: Path) -> None:
    sent = post("/seen", json={n: f"{{{{ {n} }}}}" for n in ("a_1", "a_2", "b", "c_1", "c_2")})
    other = post("/other")
    spec = fed(
        LoadSpec(
            target="x",
            arrivals_per_s=20,
            journeys=(
                Journey(name="seen", steps=(sent,)),
                Journey(name="other", steps=(other,)),
            ),
        ),
        a_1=("sequential", ["x", "y", "z"]),
        a_2=("sequential", ["1", "2", "3"]),
        b=("random", NUMBERS),
        c_1=("unique", NUMBERS),
        c_2=("unique", NUMBERS[::-1]),
    )
    with shop(seen=Reply(), other=Reply()) as server:
        load = LocustLoad(spec, server.url, tmp_path, seed=seed)
        heard = Recorder()
        try:
            facts = load.start(heard, origin_wall_ms=0, origin_mono_ns=time.monotonic_ns())
            heard.wait_second(facts["first_second"] + 1)
        finally:
            load.stop()
    seen = [json.loads(one.body) for one in server.asked if one.path == "/seen"]
    n = len(seen)
    assert n >= 20
    # visits are begun in order, but may reach the shop in another
    assert Counter(one["a_1"] for one in seen) == Counter(("xyz" * n)[:n])
    assert {(one["a_1"], one["a_2"]) for one in seen} == {("x", "1"), ("y", "2"), ("z", "3")}
    assert sorted(int(one["c_1"]) for one in seen) == list(range(n)), "each row once, in order"
    assert all(int(one["c_1"]) + int(one["c_2"]) == 49 for one in seen)
    feeds = Feeds(spec.data, seed)
    drawn = [feeds.draw(["b"])["b"] for _ in seen]
    assert Counter(one["b"] for one in seen) == Counter(drawn), "by the seed"


def test_unique_that_runs_out_ends_the_load_and_says_why(tmp_path: Path) -> None:
    spec = fed(
        LoadSpec(
            target="x",
            arrivals_per_s=20,
            journeys=(Journey(name="buy", steps=(post("/buy", body="{{ card }}"),)),),
        ),
        card=("unique", NUMBERS[:12]),
    )
    with shop(buy=Reply()) as server, running(spec, server.url, tmp_path) as run:
        run.heard.wait(lambda heard: heard.lost)
        (why,) = run.heard.lost
        sent = [one.body.decode() for one in server.asked]
    assert "all 12 rows of `card` were used, each once: add rows" in why
    assert sorted(sent, key=int) == NUMBERS[:12]


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (Auth(bearer="t0ken"), "Bearer t0ken"),
        (Auth(user="anna", password="größe:x"), "Basic YW5uYTpncsO2w59lOng="),
        (None, None),
    ],
)
def test_requests_authenticate(auth: Auth | None, sent: str | None) -> None:
    own = post("/own", headers={"authorization": "Own"}, body="x")
    spec = LoadSpec(
        target="x",
        arrivals_per_s=1,
        auth=auth,
        journeys=(Journey(name="buy", steps=(post("/buy"), own)),),
    )
    with shop(buy=Reply(), own=Reply()) as server:
        answers = once(spec, server.url)
    assert [a.outcome for a in answers] == ["ok", "ok"]
    assert [one.headers.get("authorization") for one in server.asked] == [sent, "Own"]


def test_forms_are_sent_as_forms() -> None:
    steps = (
        post("/order", capture={"order": Capture(json="id")}),
        post("/form", form={"a b": "ü&=", "order": "no. {{ order }}", "empty": ""}),
    )
    spec = LoadSpec(target="x", arrivals_per_s=1, journeys=(Journey(name="buy", steps=steps),))
    with shop(order=Reply.of({"id": 5}), form=Reply()) as server:
        once(spec, server.url)
    asked = server.asked[-1]
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode(), keep_blank_values=True) == {
        "a b": ["ü&="], "order": ["no. 5"], "empty": [""],
    }  # fmt: skip


class Greeting(Shop):
    """Gives a cookie to whoever has none, after a moment in which others come."""

    def reply(self, asked: Asked) -> Reply:
        if "cookie" in asked.headers:
            return Reply()
        return Reply(headers=(("Set-Cookie", f"visitor=v{asked.connection}"),), after_s=0.2)


def test_each_visitor_has_its_own_cookies(tmp_path: Path) -> None:
    spec = LoadSpec(
        target="x",
        arrivals_per_s=30,
        journeys=(Journey(name="look", steps=(step("/a"), step("/b"))),),
    )
    with shop(kind=Greeting) as server, running(spec, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        run.load.stop()
        visitors: dict[int, list[str | None]] = {}
        for asked in server.asked:
            visitors.setdefault(asked.connection, []).append(asked.headers.get("cookie"))
    assert len(visitors) > 1
    for connection, cookies in visitors.items():
        assert cookies == [None, *[f"visitor=v{connection}"] * (len(cookies) - 1)]
    assert max(map(len, visitors.values())) > 2, "a visitor came again, and had it still"


def test_files_are_sent_with_the_fields_of_the_form() -> None:
    content = bytes(range(256)) + b"\r\n--"
    photo = Upload(path="data/a cat.png", content=base64.b64encode(content).decode())
    sent = post("/photo", form={"order": "no. {{ order }}"}, files={"photo": photo})
    steps = (post("/order", capture={"order": Capture(json="id")}), sent)
    spec = LoadSpec(target="x", arrivals_per_s=1, journeys=(Journey(name="buy", steps=steps),))
    with shop(order=Reply.of({"id": 5}), photo=Reply()) as server:
        answers = once(spec, server.url)
    assert [a.outcome for a in answers] == ["ok", "ok"]
    asked = server.asked[-1]
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    parts: Any = email.message_from_bytes(head + asked.body, policy=email.policy.HTTP)
    field, file = parts.iter_parts()
    assert field.get_param("name", header="content-disposition") == "order"
    assert field.get_payload(decode=True) == b"no. 5"
    assert file.get_filename() == "a cat.png"
    assert file.get_content_type() == "image/png"
    assert content in asked.body
