"""Documents of run directories: what is none of ours is None, and nothing is raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.app import run_json
from gameday.app.pages import write_index
from gameday.app.run_json import measured, read_json


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"n": 1}')

    assert read_json(tmp_path / "a.json") == {"n": 1}


BAD = ("", "[]", "3", "null", "{", "\xff", '{"a": ' * 100_000)


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_object_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))

    assert read_json(tmp_path / "a.json") is None


def test_what_is_not_there_or_no_file_or_too_large_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_json(tmp_path / "none.json") is None
    assert read_json(tmp_path) is None
    (tmp_path / "a.json").write_text('{"n": 1}')
    monkeypatch.setattr(run_json, "BYTES_MAX", 7)
    assert read_json(tmp_path / "a.json") is None


def test_a_result_that_nests_without_end_does_not_stop_the_page_of_all(tmp_path: Path) -> None:
    where = tmp_path / "20260101T000000Z-x-0000"
    where.mkdir()
    (where / "journal.jsonl").touch()
    (where / "result.json").write_text('{"a": ' * 100_000)

    assert "no result" in write_index(tmp_path).read_text()


@pytest.mark.parametrize(("raw", "value"), [(None, None), (0, 0.0), (3, 3.0), (0.5, 0.5)])
def test_a_number_that_was_measured(raw: object, value: float | None) -> None:
    assert measured(raw) == value


@pytest.mark.parametrize("raw", [-1, float("inf"), float("nan"), "x", [], {}])
def test_what_cannot_have_been_measured(raw: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        measured(raw)
