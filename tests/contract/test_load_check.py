"""`gameday load check`: every answer of every journey, and an exit code that says what was seen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from journey_support import Reply, shop
from load_project_support import project
from ports_support import free_port


def check(directory: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gameday", "load", "check", "scenario.yaml", *options],
        cwd=directory,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env={**os.environ, **env},
        check=False,
    )


def lines(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.stdout.splitlines()]


GOOD = """
journeys:
  browse:
    think: 5m
    steps:
      - {get: /products, expect: {status: 200}}
      - {get: "/orders/{{ order }}", name: 'GET /orders/[id]'}
  buy: {steps: [{post: /buy, json: {sku: A1}, capture: {order: {json: id}}}]}
data:
  order: {csv: orders.csv, column: id}
"""


def test_every_answer_is_shown_with_what_was_asked(tmp_path: Path) -> None:
    with shop(
        products=Reply.of([1]), buy=Reply.of({"id": 7}), **{"orders/41": Reply.of({"a": "x" * 300})}
    ) as server:
        project(tmp_path, server.url, GOOD)
        (tmp_path / "orders.csv").write_text("id\n41\n42\n")
        ended = check(tmp_path)
        as_json = check(tmp_path, "--json")
        whole = check(tmp_path, "--body")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    text = ended.stdout
    assert text.startswith(f"shop at {server.url} (environment local): each of 2 journeys once")
    assert text.index("\nbrowse\n") < text.index("  1. GET /products: 200 after ")
    assert "  2. GET /orders/41 (GET /orders/[id]): 200 after " in text
    assert "3 requests: 3 ok; nothing was injected" in text
    assert "x" * 300 not in text
    assert "x" * 300 in whole.stdout
    found = lines(as_json)
    assert [(a["journey"], a["step"], a["path"], a["status"]) for a in found] == [
        ("browse", 1, "/products", 200), ("browse", 2, "/orders/41", 200), ("buy", 1, "/buy", 200)
    ]  # fmt: skip
    assert found[2]["expected"] == "a status below 400"
    assert "nothing was injected" in as_json.stderr
    assert len(server.asked) == 9, "each journey once, and thinking left out"


def test_a_wrong_answer_says_what_was_expected_and_fails(tmp_path: Path) -> None:
    load = """
journeys:
  buy:
    steps:
      - {post: /buy, expect: {status: 201, under: 800ms, json: {id: 7}, text: thanks}}
      - {get: /never}
"""
    with shop(buy=Reply(status=500, body=b"no \x1b[31mway\n" + b"x" * 900)) as server:
        project(tmp_path, server.url, load)
        ended = check(tmp_path)

    assert ended.returncode == 1
    assert "500 after" in ended.stdout
    assert 'expected: status 201, under 800 ms, json id = 7, text "thanks"' in ended.stdout
    assert "but:      status 500, not 201" in ended.stdout
    assert "body:     no \\x1b[31mway xxx" in ended.stdout, "nothing that a terminal would obey"
    assert "journey `buy` ended at its first failed step; 1 not sent" in ended.stdout
    assert "1 request: 0 ok, 1 http_5xx; nothing was injected" in ended.stdout


def test_a_target_that_is_not_there_is_inconclusive(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    project(tmp_path, url, "journeys: {browse: {steps: [{get: /}]}}")

    ended = check(tmp_path)

    assert ended.returncode == 3
    assert "GET /: no answer after" in ended.stdout
    assert f"nothing answered at {url}: is it up" in ended.stdout


@pytest.mark.parametrize("where", ["header", "auth"])
def test_secrets_are_masked_wherever_they_come_back(tmp_path: Path, where: str) -> None:
    asks = {
        "header": "journeys: {in: {steps: [{get: /echo, headers: {X-Key: {env: KEY}}}]}}",
        "auth": "auth: {bearer: {env: KEY}}\njourneys: {in: {steps: [{get: /echo}]}}",
    }
    with shop(echo=Reply(body=b"you said hush-hush-1")) as server:
        project(tmp_path, server.url, asks[where])
        ended = check(tmp_path, KEY="hush-hush-1")
        as_json = check(tmp_path, "--json", KEY="hush-hush-1")
        missing = check(tmp_path, KEY="")

    assert "body:     you said ***" in ended.stdout
    assert lines(as_json)[0]["body"] == "you said ***"
    assert "hush-hush-1" not in ended.stdout + ended.stderr + as_json.stdout + as_json.stderr
    sent = [a.headers.get("x-key" if where == "header" else "authorization") for a in server.asked]
    assert len(sent) == 2
    assert all("hush-hush-1" in str(value) for value in sent)
    assert missing.returncode == 2
    assert "`KEY` is missing" in missing.stderr


def test_each_task_of_each_class_of_a_locustfile(tmp_path: Path) -> None:
    with shop(a=Reply(), b=Reply(status=404), c=Reply()) as server:
        project(tmp_path, server.url, "locustfile: mine.py")
        (tmp_path / "mine.py").write_text(
            "from locust import HttpUser, task\n"
            "class One(HttpUser):\n"
            "    @task\n    def a(self): self.client.get('/a')\n"
            "    @task\n    def b(self): self.client.get('/b')\n"
            "class Two(HttpUser):\n"
            "    @task\n    def c(self): self.client.get('/c', name='sea')\n"
        )
        ended = check(tmp_path)
        broken = (tmp_path / "mine.py").write_text("def:\n")
        refused = check(tmp_path)

    assert broken
    assert ended.returncode == 1
    assert "each task of each user class once" in ended.stdout
    assert "\nOne\n  1. GET /a: 200" in ended.stdout
    assert "  2. GET /b: 404" in ended.stdout
    assert "\nTwo\n  1. GET /c (sea): 200" in ended.stdout
    assert refused.returncode == 3
    assert "mine.py:1: syntax error" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_proxy_that_a_run_would_make_is_made_for_the_time_of_it(tmp_path: Path) -> None:
    with shop(products=Reply()) as server:
        listen = f"127.0.0.1:{free_port()}"
        upstream = server.url.removeprefix("http://")
        project(tmp_path, server.url, "journeys: {browse: {steps: [{get: /products}]}}")
        path = tmp_path / "gameday.yaml"
        path.write_text(
            path.read_text().replace(
                f"{{url: '{server.url}'}}",
                f"{{url: 'http://{listen}', proxy: shop, listen: '{listen}', "
                f"upstream: '{upstream}'}}",
            )
        )
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text(re.sub(r"command: .*", "down: true", scenario.read_text()))
        ended = check(tmp_path, "--toxiproxy", "embedded")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "GET /products: 200" in ended.stdout
