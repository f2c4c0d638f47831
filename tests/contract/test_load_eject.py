"""`gameday load eject`: the file does what the journeys do, in gameday and in plain Locust."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journey_support import Asked, Reply, Shop, shop
from load_project_support import project
from load_support import running

from gameday.adapters.locust.once import once
from gameday.adapters.locust.protocol import Answer
from gameday.app.check import PlanRequest, load_of, make_plan
from gameday.model.scenario import LoadSpec

JOURNEYS = """
auth: {basic: {user: shop, password: {file: secret.txt}}}
data:
  n:    {csv: numbers.csv, column: n}
  twin: {csv: numbers.csv, column: twin}
  any:  {csv: words.csv, column: word, pick: random}
journeys:
  answers:
    steps:
      - post: /json
        json:
          n: "{{ n }}"
          text: "it's \\"{{ twin }}\\"\\n"
          deep: [1, 2.5, true, null, {"a b": {}}]
        headers: {X-Own: "{{ twin }}", X-Secret: {env: EJECT_KEY, prefix: "Key {"}}
        expect:
          status: 200
          under: 20s
          header: {X-State: good}
          json: {id: 7, "length(l)": 2}
          text: hello
        capture: {id: {json: id}, state: {header: X-State}, word: {regex: "(hel+)o"}}
      - get: "/orders/{{ id }}/{{ word }}?a=%20{{ state }}"
        name: "GET /orders/[id]"
        expect: {json: {id: "{{ id }}"}}
      - {get: /redirect, expect: {status: 302, text: "{{ id }}"}}
      - {delete: /missing, expect: {status: 404}}
  checks-form:
    weight: 3
    steps:
      - {post: /form, form: {n: "{{ n }}", b: "ä &"}}
      - {head: /json}
      - {get: /gone}
      - {get: /never}
  class:
    steps:
      - {post: /upload, files: {photo: cat.png, 'a"b': words.csv}, form: {n: "{{ n }}"}}
      - put: /put
        body: "plain {{ n }} {{any}}"
        headers: {Content-Type: text/x-own, authorization: "T {{ n }}"}
      - {patch: /gone}
      - {get: /never}
  fails-capture: {steps: [{get: /json, capture: {no: {json: nothing}}}, {get: /never}]}
  fails-header: {steps: [{get: /json, expect: {header: {X-State: bad}}}, {get: /never}]}
  fails-json: {steps: [{get: /text, expect: {json: {id: 7}}}, {get: /never}]}
  fails-late: {steps: [{get: /json}, {get: /slow, expect: {under: 200ms}}, {get: /never}]}
  fails-status: {steps: [{get: /json, expect: {status: 201}}, {get: /never}]}
  fails-text: {steps: [{get: /missing, expect: {status: 404, text: there}}, {get: /never}]}
  fails-true: {steps: [{get: /true, expect: {json: {yes: 1}}}, {get: /never}]}
  gone: {steps: [{get: /missing}, {get: /never}]}
  served-500: {steps: [{get: /broken, expect: {text: oops}}, {get: /never}]}
  wanted-500: {steps: [{get: /broken, expect: {status: 500, text: no}}, {get: /never}]}
  zz-cookies: {steps: [{get: /login}, {get: /json}, {get: /gone}]}
"""
GOOD = Reply(
    body=json.dumps({"id": 7, "l": [1, 2], "t": "hello"}).encode(),
    headers=(("X-State", "good"), ("Content-Type", "application/json")),
)
REPLIES: dict[str, Reply] = {
    "json": GOOD,
    "form": GOOD,
    "upload": GOOD,
    "put": GOOD,
    "orders/7/hell": GOOD,
    "login": Reply(headers=(("Set-Cookie", "a=b; Path=/"),)),
    "redirect": Reply(status=302, headers=(("Location", "/never"),), body=b"7"),
    "text": Reply(body=b"hello"),
    "slow": Reply(body=b"{}", after_s=0.3),
    "true": Reply.of({"yes": True}),
    "broken": Reply(status=500, body=b"oops"),
}
KEY, PASSWORD = "hush-hush-1", "pass-word-2"


@pytest.fixture
def asked_shop() -> Iterator[Shop]:
    with shop(**REPLIES) as server:
        yield server


def folder(tmp_path: Path, url: str, load: str) -> Path:
    (tmp_path / "numbers.csv").write_text(
        "n,twin\n" + "".join(f"{n},t{n}\n" for n in range(1, 500))
    )
    (tmp_path / "words.csv").write_text("word\nred\ngreen\nblue\n")
    (tmp_path / "cat.png").write_bytes(bytes(range(256)))
    (tmp_path / "secret.txt").write_text(f"{PASSWORD}\nsecond line\n")
    project(tmp_path, url, load)
    return tmp_path


def gameday(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gameday", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**os.environ, "EJECT_KEY": KEY},
        check=False,
    )


def eject(directory: Path, file: str = "load/ejected.py") -> str:
    """Write the file, and make the scenario use it."""
    (directory / file).parent.mkdir(exist_ok=True)
    ended = gameday(directory, "load", "eject", "scenario.yaml", "-o", file)
    assert ended.returncode == 0, ended.stderr
    assert f"`locustfile: {file}`" in ended.stdout
    text = (directory / "scenario.yaml").read_text()
    for key in ("auth", "data", "journeys"):
        text = re.sub(rf"^  {key}:.*\n(?:   .*\n|\n)*", "", text, flags=re.MULTILINE)
    text = text.replace("  target: shop\n", f"  target: shop\n  locustfile: {file}\n", 1)
    (directory / "scenario.yaml").write_text(text)
    return (directory / file).read_text()


def load(directory: Path) -> LoadSpec:
    return load_of(make_plan(PlanRequest(path=directory / "scenario.yaml")))


def taken(server: Shop) -> list[Asked]:
    with server.lock:
        found, server.asked = server.asked, []
    return found


def sent(asked: Asked) -> tuple[Any, ...]:
    """What was sent, without what is another each time: the boundary of a form."""
    body, headers = asked.body, dict(asked.headers)
    kind = headers.get("content-type", "")
    if "boundary=" in kind:
        boundary = kind.partition("boundary=")[2]
        body = body.replace(boundary.encode(), b"--")
        headers["content-type"] = kind.replace(boundary, "--")
    return asked.method, asked.path, tuple(sorted(headers.items())), body


def told(answers: Iterable[Answer]) -> list[tuple[Any, ...]]:
    """What came back, journey by journey: classes come in the order of their names."""
    facts = [(a.journey, a.request, a.method, a.path, a.status, a.outcome) for a in answers]
    return sorted(facts, key=lambda fact: fact[0])


def test_the_file_sends_the_same_and_judges_the_same(
    tmp_path: Path, asked_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EJECT_KEY", KEY)
    folder(tmp_path, asked_shop.url, JOURNEYS)

    answers = once(load(tmp_path), asked_shop.url)
    first = [sent(one) for one in taken(asked_shop)]
    text = eject(tmp_path)
    checked = gameday(tmp_path, "check", "scenario.yaml")
    again = once(load(tmp_path), asked_shop.url)
    second = [sent(one) for one in taken(asked_shop)]

    assert checked.returncode == 0, checked.stderr
    assert KEY not in text
    assert PASSWORD not in text
    assert told(again) == told(answers)
    assert sorted(second) == sorted(first)
    assert not [path for _, path, _, _ in first if path == "/never"]
    outcomes = {a.journey: a.outcome for a in answers}
    assert Counter(outcomes.values()) == {
        "expectation": 8, "ok": 1, "http_4xx": 4, "http_5xx": 1
    }, outcomes  # fmt: skip
    assert outcomes["answers"] == "ok"


FLOW = """
data:
  n:   {csv: numbers.csv, column: n}
  any: {csv: words.csv, column: word, pick: random}
journeys:
  browse:
    weight: 3
    think: 10ms..60ms
    steps:
      - {get: "/json?n={{ n }}&w={{ any }}", name: list}
      - {get: "/json?n={{ n }}", name: one}
  order-it: {weight: 2, steps: [{post: /json, name: buy, json: {n: "{{ n }}"}}]}
"""


def by_visit(asked: list[Asked]) -> dict[int, list[tuple[Any, ...]]]:
    """The requests of each visit, told by the number that it drew."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for one in asked:
        number = re.search(r"n\W+(\d+)", f"{one.path} {one.body.decode()}")
        assert number
        found.setdefault(int(number[1]), []).append(sent(one))
    return found


def test_shares_data_and_names_are_the_same_in_a_run(tmp_path: Path, asked_shop: Shop) -> None:
    folder(tmp_path, asked_shop.url, FLOW)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(scenario.read_text().replace("arrivals: 5/s", "arrivals: 20/s"))
    visits, counts = [], []
    for name in ("journeys", "file"):
        if name == "file":
            eject(tmp_path)
        with running(load(tmp_path), asked_shop.url, tmp_path / name) as run:
            run.heard.wait_second(run.facts["first_second"] + 2)
        visits.append(by_visit(taken(asked_shop)))
        counts.append(run.heard.counts("journey", "name", "outcome"))

    both = range(1, 31)
    assert [visits[1][n] for n in both] == [visits[0][n] for n in both]
    assert counts[1].keys() == counts[0].keys()
    assert set(counts[0]) == {
        ("browse", "list", "ok"), ("browse", "one", "ok"), ("order-it", "buy", "ok")
    }  # fmt: skip


def test_plain_locust_runs_it(tmp_path: Path, asked_shop: Shop) -> None:
    folder(tmp_path, asked_shop.url, FLOW)
    eject(tmp_path)

    ended = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "load/ejected.py", "--headless", "--users", "4",
         "--spawn-rate", "4", "--run-time", "2s", "--stop-timeout", "2", "--host", asked_shop.url],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert {one.path.partition("?")[0] for one in asked_shop.asked} == {"/json"}
    assert {one.method for one in asked_shop.asked} == {"GET", "POST"}


def test_rows_that_are_used_up_end_the_load(tmp_path: Path, asked_shop: Shop) -> None:
    folder(
        tmp_path,
        asked_shop.url,
        "data: {n: {csv: words.csv, column: word, pick: unique}}\n"
        'journeys: {a: {steps: [{get: "/json?n={{ n }}", name: a}]}}\n',
    )
    scenario = tmp_path / "scenario.yaml"
    text = scenario.read_text()
    scenario.write_text(text.replace("pick: unique", "pick: sequential"))
    eject(tmp_path)
    file = tmp_path / "load" / "ejected.py"
    file.write_text(file.read_text().replace('"sequential"', '"unique"'))

    with running(load(tmp_path), asked_shop.url, tmp_path / "run") as run:
        run.heard.wait(lambda heard: heard.lost)

    assert len(asked_shop.asked) == 3
    output = (tmp_path / "run" / "load" / "output.log").read_text()
    assert "all 3 rows of `words.csv` were used, each once" in output


def test_the_file_is_laid_out_as_formatters_do_and_has_no_warning(tmp_path: Path) -> None:
    folder(tmp_path, "http://127.0.0.1:1", JOURNEYS)
    eject(tmp_path)
    file = tmp_path / "load" / "ejected.py"

    compiled = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"compile(open({str(file)!r}).read(), 'f', 'exec')"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--diff", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout


def test_nothing_is_overwritten_by_accident(tmp_path: Path) -> None:
    folder(tmp_path, "http://127.0.0.1:1", "journeys: {a: {steps: [{get: /}]}}")
    (tmp_path / "mine.py").write_text("precious\n")

    refused = gameday(tmp_path, "load", "eject", "scenario.yaml", "-o", "mine.py")
    nowhere = gameday(tmp_path, "load", "eject", "scenario.yaml", "-o", "no/such/mine.py")
    printed = gameday(tmp_path, "load", "eject", "scenario.yaml")
    kept = (tmp_path / "mine.py").read_text()
    forced = gameday(tmp_path, "load", "eject", "scenario.yaml", "-o", "mine.py", "--force")

    assert refused.returncode == nowhere.returncode == 2
    assert "`mine.py` is there already" in refused.stderr
    assert "`no/such/mine.py` cannot be written: no such file" in nowhere.stderr
    assert kept == "precious\n"
    assert forced.returncode == printed.returncode == 0
    assert (tmp_path / "mine.py").read_text() == printed.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("locustfile: words.csv", "is a Locust file already: `words.csv`"),
        (
            "journeys: {a: {steps: [{get: /, headers: {Authorization: abc-hush}}]}}",
            "the header `Authorization` of step 1 of `a` is a secret",
        ),
        (
            "users: 3\njourneys: {a: {steps: [{get: /}]}, b: {steps: [{get: /}]}}",
            "`users` with several journeys cannot be written",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    folder(tmp_path, "http://127.0.0.1:1", text)
    if "users:" in text:
        path = tmp_path / "scenario.yaml"
        path.write_text(path.read_text().replace("  arrivals: 5/s\n", ""))

    ended = gameday(tmp_path, "load", "eject", "scenario.yaml")

    assert ended.returncode == 2, ended.stdout
    assert said in ended.stderr
    assert "abc-hush" not in ended.stdout


def test_data_is_found_from_the_file_so_it_must_be_in_the_project(tmp_path: Path) -> None:
    inside = tmp_path / "project"
    inside.mkdir()
    folder(inside, "http://127.0.0.1:1", FLOW)

    ended = gameday(inside, "load", "eject", "scenario.yaml", "-o", "../out.py")

    assert ended.returncode == 2
    assert "`../out.py` is not in the project's folder" in ended.stderr
