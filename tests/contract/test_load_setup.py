"""Setup and teardown of a load: once, in no number, and never silent when they fail."""

from __future__ import annotations

import base64
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from journey_support import Asked, Reply, Shop, shop
from load_support import Recorder, running

from gameday.adapters.locust.driver import LocustLoad
from gameday.adapters.locust.once import once
from gameday.errors import NoEffectError
from gameday.model.event import Event
from gameday.model.histogram import count
from gameday.model.scenario import Auth, Capture, Expect, Journey, LoadSpec, RequestStep, Upload

MADE = Reply.of(
    {"id": "b 7"}, status=201, headers=(("Set-Cookie", "who=setup; Path=/"), ("X-Token", "t1"))
)
GONE = Reply(status=204)


def step(method: str, path: str, **more: object) -> RequestStep:
    return RequestStep(method=method, path=path, name=f"{method} {path}", **more)  # type: ignore[arg-type]


MAKE = step(
    "POST", "/baskets", json={"name": "gameday"}, expect=Expect(status=201),
    capture={"basket": Capture(json="id"), "token": Capture(header="X-Token")},
)  # fmt: skip
FILL = step("POST", "/baskets/{{ basket }}/fill", form={"n": "3"}, expect=Expect(text="full"))
AWAY = step("DELETE", "/baskets/{{ basket }}", expect=Expect(status=204))
ADD = step("POST", "/baskets/{{ basket }}/items", headers={"X-Token": "{{ token }}"})
SPEC = LoadSpec(
    target="shop",
    arrivals_per_s=20,
    timeout_ms=2_000,
    journeys=(Journey(name="add", steps=(replace(ADD, name="add"),)),),
    setup=(MAKE, FILL),
    teardown=(AWAY,),
)
REPLIES = {
    "/baskets": MADE,
    "/baskets/b%207/fill": Reply(body=b"it is full"),
    "/baskets/b%207/items": Reply(),
    "/baskets/b%207": GONE,
}


def serving(replies: dict[str, Reply], kind: type[Shop] = Shop) -> AbstractContextManager[Shop]:
    return shop(kind=kind, **{path.lstrip("/"): reply for path, reply in replies.items()})


def told(heard: Recorder) -> list[Event]:
    return [e for e in heard.events if e.kind == "load.worker"]


def asked(server: Shop) -> list[str]:
    return [f"{one.method} {one.path}" for one in server.asked]


def started(spec: LoadSpec, url: str, directory: Path) -> str:
    """Why the load did not start."""
    load = LocustLoad(spec, url, directory)
    with pytest.raises(NoEffectError) as caught:
        load.start(lambda _: None, origin_wall_ms=0, origin_mono_ns=0)
    return str(caught.value)


def test_they_are_done_once_around_the_load_and_are_in_no_number(tmp_path: Path) -> None:
    with serving(REPLIES) as server, running(SPEC, server.url, tmp_path) as run:
        run.heard.wait_second(run.facts["first_second"] + 1)
        facts = run.load.stop()

        paths = asked(server)
        assert paths[:2] == ["POST /baskets", "POST /baskets/b%207/fill"]
        assert paths[-1] == "DELETE /baskets/b%207"
        assert set(paths[2:-1]) == {"POST /baskets/b%207/items"}
        assert len(paths) - 3 == facts["asked"] == facts["started"]
        items = [one for one in server.asked if one.path.endswith("/items")]
        assert {one.headers["x-token"] for one in items} == {"t1"}
        assert all("cookie" not in one.headers for one in items)
        assert [one.headers.get("cookie") for one in (server.asked[1], server.asked[-1])] == [
            "who=setup", "who=setup",
        ]  # fmt: skip
        assert server.asked[1].body == b"n=3"
    cells = [cell for tick in run.heard.ticks for cell in tick.cells]
    assert {(cell.name, cell.outcome) for cell in cells} == {("add", "ok")}
    assert sum(count(cell.response) for cell in cells) == facts["asked"]
    assert not told(run.heard)


def test_each_process_does_its_own(tmp_path: Path) -> None:
    class Counting(Shop):
        """A basket of its own for each that is asked for."""

        def reply(self, asked: Asked) -> Reply:
            if asked.path == "/baskets":
                n = sum(one.path == "/baskets" for one in self.asked)
                return Reply.of({"id": n}, status=201, headers=(("X-Token", f"t{n}"),))
            return Reply(body=b"full", status=204 if asked.method == "DELETE" else 200)

    spec = replace(SPEC, processes=2)
    with (
        serving(REPLIES, Counting) as server,
        running(spec, server.url, tmp_path) as run,
    ):
        run.heard.wait_second(run.facts["first_second"] + 1)
        run.load.stop()
        paths = asked(server)
    processes = len(run.facts["workers"])
    assert paths.count("POST /baskets") == processes
    for n in range(1, processes + 1):
        assert paths.count(f"DELETE /baskets/{n}") == 1
        assert f"POST /baskets/{n}/items" in paths


def test_auth_and_files_are_theirs_too(tmp_path: Path) -> None:
    upload = Upload(path="data/cat.png", content=base64.b64encode(b"meow").decode())
    send = step("POST", "/baskets", files={"photo": upload}, capture=MAKE.capture)
    spec = replace(SPEC, setup=(send,), auth=Auth(bearer="s3cret"))
    with serving(REPLIES) as server, running(spec, server.url, tmp_path) as run:
        run.load.stop()
        first, last = server.asked[0], server.asked[-1]
    assert b"meow" in first.body
    assert first.headers["authorization"] == last.headers["authorization"] == "Bearer s3cret"


BROKEN: dict[str, tuple[dict[str, Reply], str]] = {
    "a status": (
        {"/baskets": Reply(status=503, body=b"no baskets\n today")},
        "the setup step `POST /baskets` failed: status 503, not 201, "
        "and the answer was: no baskets today",
    ),
    "an answer": (
        {**REPLIES, "/baskets/b%207/fill": Reply(body=b"x" * 999)},
        "is not in it (status 200), and the answer was: " + "x" * 200,
    ),
    "nothing to capture": (
        {"/baskets": Reply.of({}, status=201)}, "nothing to capture `basket` from (status 201)",
    ),
    "too late": (
        {"/baskets": Reply(after_s=5)}, "`POST /baskets` failed: no answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", BROKEN.values(), ids=BROKEN)
def test_a_setup_that_fails_ends_the_load_with_the_answer(
    row: tuple[dict[str, Reply], str], tmp_path: Path
) -> None:
    replies, words = row
    with serving(replies) as server:
        why = started(replace(SPEC, timeout_ms=700), server.url, tmp_path)
        assert words in why
        assert "x" * 201 not in why
        assert not [path for path in asked(server) if path.endswith("/items")]


def test_nobody_there(tmp_path: Path) -> None:
    with serving({}) as server:
        url = server.url
    assert "the setup step `POST /baskets` failed: no answer" in started(SPEC, url, tmp_path)


def test_a_teardown_that_fails_is_told(tmp_path: Path) -> None:
    with (
        serving({**REPLIES, "/baskets/b%207": Reply(status=500, body=b"not now")}) as server,
        running(SPEC, server.url, tmp_path) as run,
    ):
        run.heard.wait_second(run.facts["first_second"])
        facts = run.load.stop()
    assert facts["exit_code"] == 0
    assert [(e.subject, e.data["state"]) for e in told(run.heard)] == [("0", "untidy")]
    assert "`DELETE /baskets/{{ basket }}` failed: status 500" in told(run.heard)[0].data["why"]


def test_each_journey_once_has_both_around_it() -> None:
    with serving(REPLIES) as server:
        answers = once(SPEC, server.url)
        assert asked(server)[-1] == "DELETE /baskets/b%207"
        assert [one.outcome for one in answers] == ["ok"]
    untidy = {**REPLIES, "/baskets/b%207": Reply(status=500)}
    with serving(untidy) as server, pytest.raises(NoEffectError, match="teardown step"):
        once(SPEC, server.url)
