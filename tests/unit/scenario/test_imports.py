"""Journeys from OpenAPI files and recordings: what is written passes `check`, secrets are not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gameday.errors import UsageError
from gameday.model.diagnostics import Diagnostic, has_errors
from gameday.scenario.api import check
from gameday.scenario.import_har import from_har
from gameday.scenario.import_openapi import from_openapi
from gameday.scenario.import_yaml import Imported, written
from gameday.scenario.render import render

PETS = Path(__file__).parents[2] / "fixtures" / "imports" / "pets.yaml"
REST = """\
gameday: 1
id: imported
title: An imported load
service: api
owner: team-api
hypothesis: it holds
{load}
phases: {{baseline: 30s, fault: 30s, recovery: 30s}}
faults: [{{id: down, target: other, down: true}}]
expect: {{baseline: [errors < 50%], fault: [errors < 50%]}}
stop_when: [errors > 90% for 30s]
"""
PROJECT = """\
gameday: 1
environments:
  local:
    targets:
      api: {url: 'http://127.0.0.1:1'}
      other: {proxy: other, listen: '127.0.0.1:2', upstream: '127.0.0.1:3', probe: tcp}
"""


def checked(text: str, directory: Path) -> tuple[Diagnostic, ...]:
    """What `gameday check` says of a scenario with this load."""
    (directory / "gameday.yaml").write_text(PROJECT)
    path = directory / "imported.yaml"
    path.write_text(REST.format(load=text))
    return check([path]).diagnostics


def load(made: Imported) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(written(made, target="api"))["load"]
    return found


def steps(made: Imported, journey: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(made)["journeys"][journey]["steps"]
    return found


def test_reading_operations_become_a_journey_for_each_tag() -> None:
    made = from_openapi(PETS)

    assert list(load(made)["journeys"]) == ["animals", "photos"]
    assert steps(made, "animals") == [
        {
            "get": "/prod/v1/animals?limit=20&kind=dog",
            "name": "GET /prod/v1/animals",
            "headers": {"X-Tenant": "north"},
            "expect": {"status": 200},
        },
        {
            "get": "/prod/v1/animals/{{ animal_id }}",
            "name": "GET /prod/v1/animals/{animal-id}",
            "expect": {"status": 200},
        },
    ]
    assert load(made)["auth"] == {"bearer": {"env": "TOKEN"}}
    assert "4 operations that may change something are left out; `--writes`" in made.notes
    assert made.origin == "https://kennel.example"


def test_changing_operations_get_bodies_from_examples_and_schemas() -> None:
    made = from_openapi(PETS, writes=True)

    post = steps(made, "animals")[1]
    assert post["json"] == {
        "name": "textxx", "born": "2024-01-31", "kind": "dog", "weight": 0.5, "parent": None,
        "tags": ["{ { braces }}"], "owner": {"name": "text", "age": 1},
    }  # fmt: skip
    assert post["expect"] == {"status": 201}
    assert steps(made, "animals")[3]["headers"] == {"X-Kennel-Key": {"env": "KEY"}}
    assert steps(made, "login")[0]["form"] == {"user": "anna", "remember": "true"}
    assert [n for n in made.notes if "left out" in n] == [
        "PUT /prod/v1/photos/{id} is left out: no body of the kind `image/png` can be made"
    ]
    assert set(load(from_openapi(PETS, writes=True, by="path"))["journeys"]) == {
        "animals", "photos", "login"
    }  # fmt: skip


def test_a_value_that_is_missing_is_what_check_complains_of(tmp_path: Path) -> None:
    text = written(from_openapi(PETS, writes=True), target="api")
    found = [one for one in checked(text, tmp_path) if has_errors([one])]

    assert {one.summary for one in found} == {"there is no value `animal_id` at this step"}
    assert "capture: {animal_id: {json: id}}" in found[0].hint
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "animal_id.csv").write_text("animal_id\n1\n")
    filled = text.replace("  # data:\n  #   animal_id", "  data:\n    animal_id")
    assert not has_errors(checked(filled, tmp_path)), render(checked(filled, tmp_path))


SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Old"},
    "host": "old.example",
    "basePath": "/api/",
    "schemes": ["http"],
    "securityDefinitions": {"simple": {"type": "basic"}},
    "security": [{"simple": []}],
    "paths": {
        "/things/{id}": {
            "get": {
                "parameters": [
                    {"name": "id", "in": "path", "type": "integer", "x-example": 7},
                    {"name": "q", "in": "query", "required": True, "type": "string"},
                ],
                "responses": {"200": {}},
            },
            "put": {
                "parameters": [
                    {"name": "id", "in": "path", "type": "integer", "default": 8},
                    {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/Thing"}},
                ],
                "responses": {"default": {}},
            },
            "post": {"parameters": [{"name": "f", "in": "formData", "type": "file"}]},
        }
    },
    "definitions": {
        "Thing": {"properties": {"a": {"type": "array", "items": {"type": "integer"}}}}
    },
}


def as_file(directory: Path, data: Any, name: str = "given.json") -> Path:
    path = directory / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_swagger_2(tmp_path: Path) -> None:
    made = from_openapi(as_file(tmp_path, SWAGGER), writes=True)

    assert steps(made, "things") == [
        {
            "get": "/api/things/7?q={{ q }}",
            "name": "GET /api/things/{id}",
            "expect": {"status": 200},
        },
        {"put": "/api/things/8", "name": "PUT /api/things/{id}", "json": {"a": [1]}},
    ]
    assert made.origin == "http://old.example"
    assert load(made)["auth"] == {"basic": {"user": "USER", "password": {"env": "SIMPLE"}}}
    assert "it sends the file `f`" in made.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("[1]", "is a list; it must be a mapping"),
        ("{", ":1:2: not JSON"),
        ("a: b: c", ":1:5: not YAML"),
        ("openapi: 4.0.0", "has the version `4.0.0`"),
        ("info: {}", "names no version"),
        ("openapi: 3.0.0", "`paths` has no operation"),
        ("openapi: 3.0.0\npaths: [1]", "`paths` is a list; it must be a mapping"),
        ("openapi: 3.0.0\npaths: {x: {}}", "`paths.x` is no path: it must begin with `/`"),
        ("openapi: 3.0.0\npaths: {/a: {get: 7}}", "`paths./a.get` is a number"),
        (
            "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{$ref: '#/no'}]}}}",
            "`paths./a.get.parameters[0]` refers to `#/no`, which is not there",
        ),
        (
            "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{$ref: 'other.yaml#/x'}]}}}",
            "put all into one file first",
        ),
        (
            "openapi: 3.0.0\npaths: {/a: {$ref: '#/x'}}\nx: {$ref: '#/y'}\n'y': {$ref: '#/x'}",
            "leads round in a circle",
        ),
        ("openapi: 3.0.0\npaths: {/a: {post: {}}}", "`--writes` takes in those"),
        ("[" * 5000, "more than 100 levels deep"),
        ('{"a": 1' + "0" * 5000 + "}", "not JSON"),
        ('{"a": NaN}', "`NaN` is no number in JSON"),
    ],
)
def test_what_cannot_be_imported_is_one_message_with_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    path = as_file(tmp_path, text, "given.yaml")

    with pytest.raises(UsageError) as caught:
        from_openapi(path)

    assert said in str(caught.value)
    assert "given.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def entry(method: str, url: str, at_s: float, **more: Any) -> dict[str, Any]:
    return {
        "startedDateTime": f"2024-05-01T10:00:{at_s:06.3f}Z",
        "time": more.get("time", 50),
        "request": {
            "method": method,
            "url": url,
            "headers": [{"name": k, "value": v} for k, v in more.get("headers", {}).items()],
            **({"postData": more["body"]} if "body" in more else {}),
        },
        "response": {
            "status": more.get("status", 200),
            "content": {"mimeType": more.get("kind", "application/json")},
        },
    }


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SECRETS = (JWT, "hunter2", "s3ss10n", "4242424242424242", "k-1234567890abcdefABCDEF1234567890abcd")
HAR: dict[str, Any] = {
    "log": {
        "version": "1.2",
        "entries": [
            entry("GET", "https://shop.example/", 0, kind="text/html"),
            entry("GET", "https://shop.example/app.js?v=3", 0.1, kind="text/javascript"),
            entry("GET", "https://cdn.example/logo.png", 0.2, kind="image/png"),
            entry("GET", "https://stats.example/hit?x=1", 0.3),
            entry("OPTIONS", "https://shop.example/api/login", 0.9),
            entry(
                "POST", "https://shop.example/api/login?next=%2Fcart%20a", 1,
                headers={
                    "Accept": "application/json", "Cookie": "sid=s3ss10n", "X-Csrf": "s3ss10n"
                },
                body={
                    "mimeType": "application/json; charset=utf-8",
                    "text": json.dumps(
                        {"user": "anna", "password": "hunter2", "card": {"n": 4242424242424242}}
                    ),
                },
            ),
            entry(
                "GET", f"https://shop.example/api/orders/123456?token=s3ss10n&t={JWT}&page=2", 3,
                headers={"Authorization": f"Bearer {JWT}"},
            ),
            entry(
                "POST", "https://shop.example/api/orders/0e64a6c2-9df3-4a42-8b8a-0123456789ab/pay",
                3.5, status=303,
                body={
                    "mimeType": "application/x-www-form-urlencoded",
                    "params": [{"name": "cvv", "value": "hunter2"}, {"name": "n", "value": "a b"}],
                },
            ),
            entry("GET", "https://shop.example/reset/k-1234567890abcdefABCDEF1234567890abcd", 8),
            entry(
                "POST", "https://shop.example/xml", 8.2,
                body={"mimeType": "text/xml", "text": "<password>hunter2</password>"},
            ),
            entry("GET", "https://shop.example/broken", 8.3, status=0),
        ],
    }
}  # fmt: skip


def test_a_recording_becomes_one_journey_without_its_secrets(tmp_path: Path) -> None:
    made = from_har(as_file(tmp_path, HAR))
    text = written(made, target="api")

    for secret in SECRETS:
        assert secret not in text
    recorded = steps(made, "recorded")
    assert [(next(iter(s)), next(iter(s.values())), s.get("name")) for s in recorded] == [
        ("get", "/", None),
        ("post", "/api/login?next=%2Fcart%20a", "POST /api/login"),
        ("get", "/api/orders/123456?token={{ token }}&t={{ t }}&page=2", "GET /api/orders/[id]"),
        (
            "post",
            "/api/orders/0e64a6c2-9df3-4a42-8b8a-0123456789ab/pay",
            "POST /api/orders/[id]/pay",
        ),
        ("get", "/reset/{{ token }}", "GET /reset/[id]"),
    ]
    assert recorded[1]["json"] == {
        "user": "anna", "password": "{{ password }}", "card": {"n": "{{ card }}"}
    }  # fmt: skip
    assert recorded[1]["headers"] == {"Accept": "application/json"}
    assert recorded[3]["form"] == {"cvv": "{{ cvv }}", "n": "a b"}
    assert recorded[3]["expect"] == {"status": 303}
    assert load(made)["auth"] == {"bearer": {"env": "API_TOKEN"}}
    assert load(made)["journeys"]["recorded"]["think"] == "0.2s..4.4s"
    notes = " ".join(made.notes)
    for said in (
        "https://stats.example",
        "cookies are left out",
        "`x-csrf` is left out",
        "/xml is",
    ):
        assert said in notes


def test_which_host_and_static_files(tmp_path: Path) -> None:
    path = as_file(tmp_path, HAR)

    assert steps(from_har(path, host="stats.example"), "recorded")[0]["get"] == "/hit?x=1"
    assert any("app.js" in str(s) for s in steps(from_har(path, everything=True), "recorded"))
    with pytest.raises(UsageError, match=r"no request to `x.example`; recorded are: https://shop"):
        from_har(path, host="x.example")


def test_a_recording_passes_check_when_its_values_are_given(tmp_path: Path) -> None:
    text = written(from_har(as_file(tmp_path, HAR, "r.har")), target="api")
    (tmp_path / "data").mkdir()
    for name in ("password", "card", "token", "t", "cvv"):
        (tmp_path / "data" / f"{name}.csv").write_text(f"{name}\n1\n")
    filled = text.replace("  # data:", "  data:").replace("  #   ", "    ")

    assert has_errors(checked(text, tmp_path))
    assert not has_errors(checked(filled, tmp_path)), render(checked(filled, tmp_path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "has no `log`"),
        ({"log": {"entries": {}}}, "`log.entries` is a mapping; it must be a list"),
        ({"log": {"entries": [3]}}, "`log.entries[0]` is a number"),
        ({"log": {"entries": []}}, "has no request that can be a step"),
        ({"log": {"entries": [{"startedDateTime": "soon", "request": {"method": "GET", "url":
            "http://a/"}, "response": {"status": 200}}]}}, "startedDateTime` is no moment: `soon`"),
        ("openapi: 3.0.0", ":1:1: not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_one_message(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_har(as_file(tmp_path, data))

    assert said in str(caught.value)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["{{ x }}", "#/paths", "\ud800", "//[", "a\nb", "GET", "{id}", "\x00"]),
    lambda below: st.lists(below, max_size=3)
    | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values of a document."""
    below = value.items() if isinstance(value, dict) else []
    below = enumerate(value) if isinstance(value, list) else below
    return [way] * bool(way) + [found for key, part in below for found in places(part, (*way, key))]


def spoilt(document: Any, data: st.DataObject) -> Any:
    """The document with junk in some places."""
    made = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        way = data.draw(st.sampled_from(places(made)))
        inner = made
        for key in way[:-1]:
            inner = inner[key]
        inner[way[-1]] = data.draw(JUNK)
    return made


@pytest.mark.parametrize("kind", ["har", "openapi", "swagger"])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_junk_is_refused_with_a_message_or_gives_what_check_understands(
    kind: str, data: st.DataObject, tmp_path: Path
) -> None:
    document = {"har": HAR, "openapi": yaml.safe_load(PETS.read_text()), "swagger": SWAGGER}[kind]
    text = json.dumps(spoilt(document, data))
    path = as_file(tmp_path, text.replace("NaN", "1").replace("Infinity", "1"))
    try:
        made = from_har(path) if kind == "har" else from_openapi(path, writes=True)
    except UsageError as error:
        said = str(error)
        assert "given.json" in said
        return
    written_ = written(made, target="api")
    found = checked(written_, tmp_path)
    allowed = {"load/value"}  # values that are still to be given
    wrong = [one for one in found if has_errors([one]) and one.code not in allowed]
    assert not wrong, f"{written_}\n{render(wrong)}"
