"""The index of runs: SQLite and a real PostgreSQL keep the same, and read only what is new."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from findings_postgres import database, server
from quarter_support import Year, make_year, write_runs

from gameday.adapters import run_index
from gameday.app.run_index import bring_up, index_at
from gameday.errors import UsageError
from gameday.model.quarter import INDEX_VERSION
from gameday.programme.quarter_run import run_seen

__all__ = ["server"]  # fixtures


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What `--index` takes."""
    if request.param == "postgresql":
        return database(request.getfixturevalue("server"))
    return f"sqlite:{tmp_path / 'runs.db'}"


@pytest.fixture(scope="module")
def year() -> Year:
    return make_year(runs=12, services=3, findings=0)


@pytest.fixture
def reports(year: Year, tmp_path: Path) -> Path:
    write_runs(year, tmp_path / "reports")
    return tmp_path / "reports"


def test_every_run_comes_back_as_it_was_read(year: Year, reports: Path, place: str) -> None:
    known = bring_up(index_at(place, reports), reports)
    expected = [run_seen(r, p) for r, p in zip(year.results, year.plans, strict=True)]
    assert sorted(known.runs, key=lambda one: one.run) == sorted(expected, key=lambda one: one.run)
    assert [one.ended for one in known.runs] == sorted(one.ended for one in known.runs)
    assert known.read == 12


def test_only_what_is_new_or_changed_is_read(year: Year, reports: Path, place: str) -> None:
    index = index_at(place, reports)
    bring_up(index, reports)
    assert bring_up(index, reports).read == 0
    changed = reports / year.results[0]["run_id"] / "result.json"
    result = {**year.results[0], "environment": "elsewhere"}
    changed.write_text(json.dumps(result), encoding="utf-8")
    os.utime(changed, ns=(1, 1))
    known = bring_up(index_at(place, reports), reports)
    assert known.read == 1
    assert [one.run for one in known.runs if one.environment == "elsewhere"] == [
        changed.parent.name
    ]


def test_made_anew_it_forgets_what_is_gone(year: Year, reports: Path, place: str) -> None:
    index = index_at(place, reports)
    bring_up(index, reports)
    gone = reports / year.results[3]["run_id"]
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    assert gone.name in {one.run for one in bring_up(index, reports).runs}
    assert gone.name not in {one.run for one in bring_up(index, reports, rebuild=True).runs}


def test_a_run_that_only_an_older_version_has_read_is_told_and_not_forgotten_in_silence(
    year: Year, reports: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "INDEX_VERSION", INDEX_VERSION - 1)
    bring_up(index_at(place, reports), reports)
    monkeypatch.undo()
    gone = reports / year.results[3]["run_id"]
    shutil.rmtree(gone)

    known = bring_up(index_at(place, reports), reports)

    assert len(known.runs) == known.read == 11
    (line,) = known.unread
    assert line.startswith(f"`{gone.name}` was read by another version of gameday")
    assert bring_up(index_at(place, reports), reports, rebuild=True).unread == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"schema": 2}', "of version 2, not 1"),
        ('{"schema": 1, "run_id": "other"}', "of another run"),
        ('{"schema": 1, "run_id": "bad"}', "lacks what is needed"),
        (None, "has no `result.json`"),
    ],
)
def test_what_cannot_be_read_is_told_and_stops_nothing(
    reports: Path, text: str | None, told: str
) -> None:
    bad = reports / "bad"
    bad.mkdir()
    (bad / "journal.jsonl").touch()
    if text is not None:
        (bad / "result.json").write_text(text, encoding="utf-8")
    known = bring_up(index_at(None, reports), reports)
    assert len(known.runs) == 12
    (line,) = known.unread
    assert told in line
    assert "`bad`" in line


@pytest.mark.parametrize("damage", ["lost", "spoiled"])
def test_a_run_whose_result_is_lost_or_spoiled_counts_no_more(
    year: Year, reports: Path, place: str, damage: str
) -> None:
    index = index_at(place, reports)
    bring_up(index, reports)
    result = reports / year.results[3]["run_id"] / "result.json"
    if damage == "lost":
        result.unlink()
    else:
        result.write_text("{", encoding="utf-8")

    known = bring_up(index, reports)

    assert result.parent.name not in {one.run for one in known.runs}
    assert len(known.runs) == 11
    (line,) = known.unread
    assert result.parent.name in line


@pytest.mark.parametrize("place", ["mysql://x", "sqlite:", "index.db"])
def test_what_is_no_place_is_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no place for an index; write `sqlite:FILE`"):
        index_at(place, tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        bring_up(index_at(None, tmp_path), tmp_path / "none")


def test_a_file_that_is_no_database_is_told(tmp_path: Path, reports: Path) -> None:
    (tmp_path / "x.db").write_text("no database at all, but long enough to be looked at " * 9)
    with pytest.raises(UsageError, match="cannot be used"):
        bring_up(index_at(f"sqlite:{tmp_path / 'x.db'}", reports), reports)
