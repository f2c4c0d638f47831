"""YAML text to nodes: YAML 1.2 core scalars, places, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gameday.scenario import load
from gameday.scenario.load import MAX_BYTES, MAX_DEPTH, load_file, load_text


def value(text: str) -> Any:
    document = load_text(text, "x.yaml")
    assert document.root is not None, document.diagnostics
    return document.root.plain()


def codes(text: str) -> list[str]:
    return [found.code for found in load_text(text, "x.yaml").diagnostics]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True), ("True", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"),
        ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("0b1", "0b1"),
        ("12", 12), ("-3", -3), ("+4", 4), ("010", 10), ("0o10", 8), ("0x1F", 31),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-.inf", -math.inf),
        ("800ms", "800ms"), ("5%", "5%"), ("50/s", "50/s"), ("errors < 1%", "errors < 1%"),
        ('"true"', "true"), ("'12'", "12"), ("<<", "<<"), ("=", "="), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(written: str, meant: object) -> None:
    read = value(f"a: {written}\n")["a"]
    assert read == meant
    assert type(read) is type(meant)


def test_nan_is_a_number() -> None:
    assert math.isnan(value("a: .nan")["a"])


def test_a_number_with_very_many_digits_stays_text() -> None:
    assert value("a: " + "9" * 5000) == {"a": "9" * 5000}


def test_keys_are_text_as_written() -> None:
    assert value("on: 1\n200: 2\ntrue: 3\n") == {"on": 1, "200": 2, "true": 3}


def test_places_count_characters_from_one() -> None:
    document = load_text("a: 1\n😀ä: {b: [x, 'y z']}\n", "x.yaml")
    mark = document.marks.at(("😀ä", "b", 1))
    assert (mark.file, mark.line, mark.column, mark.length) == ("x.yaml", 2, 13, 5)
    key = document.marks.key(("😀ä",))
    assert (key.line, key.column, key.length) == (2, 1, 2)


def test_the_place_of_what_is_not_there_is_that_of_what_is_around_it() -> None:
    marks = load_text("a:\n  b: 1\n", "x.yaml").marks
    assert (marks.at(("a", "c")).line, marks.key(("a", "c")).line) == (2, 1)
    assert (marks.at(("z",)).line, marks.at(("z",)).column) == (1, 1)


def test_depth_is_bounded_before_anything_is_built() -> None:
    inside = MAX_DEPTH - 1
    assert codes("a: " + "[" * inside + "]" * inside) == []
    assert codes("a: " + "[" * (inside + 1) + "]" * (inside + 1)) == ["yaml/too-deep"]
    assert codes("[" * 100_000) == ["yaml/too-deep"]


def test_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\n" + b"#" * (MAX_BYTES - 5))
    assert load_file(path).diagnostics == ()
    path.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES)
    assert [found.code for found in load_file(path).diagnostics] == ["file/too-large"]
    assert codes("#" * (MAX_BYTES + 1)) == ["file/too-large"]


def test_aliases_cannot_multiply() -> None:
    lines = ["a0: &a0 x"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)
    ]
    assert codes("\n".join(lines)) == ["yaml/alias"] * 3


def test_what_can_be_read_past_a_problem_is_read() -> None:
    document = load_text("a: !x 1\na: 2\n? [q]\n: 3\nb: &c 4\n", "x.yaml")
    assert [found.code for found in document.diagnostics] == [
        "yaml/tag", "yaml/duplicate-key", "yaml/key-not-text", "yaml/alias",
    ]  # fmt: skip
    assert document.root is not None
    assert document.root.plain() == {"a": "1", "b": 4}


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert value("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_nothing_is_said_to_be_nothing(text: str) -> None:
    document = load_text(text, "x.yaml")
    assert [found.code for found in document.diagnostics] in (["file/empty"], [])
    assert document.root is None or document.root.value is None


def test_lone_surrogates_and_directories_are_diagnostics(tmp_path: Path) -> None:
    assert codes("a: \ud800") == ["file/not-utf8"]
    assert [found.code for found in load_file(tmp_path).diagnostics] == ["file/unreadable"]


@pytest.mark.parametrize("text", ["a: b: c", "a: [1,", "%YAML 9.9\n---\na: 1", "@a: 1", "a: 'x"])
def test_the_pure_python_parser_refuses_the_same(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes(text) == ["yaml/syntax"]
    monkeypatch.setattr(load, "_LOADER", load.yaml.SafeLoader)
    assert codes(text) == ["yaml/syntax"]


def test_the_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: {on: 1:30, b: [x, 'y', \"z\"]}\nt: >\n  one\n  two\nn: ~\n"
    fast = load_text(text, "x.yaml")
    monkeypatch.setattr(load, "_LOADER", load.yaml.SafeLoader)
    slow = load_text(text, "x.yaml")
    assert fast.root is not None
    assert slow.root is not None
    assert fast.root.plain() == slow.root.plain()
    assert fast.marks.at(("a", "b", 2)) == slow.marks.at(("a", "b", 2))
