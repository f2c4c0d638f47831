"""Whether there is a register of findings: a folder, SQLite, and a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from findings_postgres import place, server

from gameday.app.finding_store import store_at
from gameday.errors import UsageError

__all__ = ["place", "server"]  # fixtures


def test_a_register_that_was_never_made_is_none_and_an_empty_one_is(place: str) -> None:
    store = store_at(place, Path())
    assert not store.exists()
    assert store.all() == ()
    assert not store.exists(), "looking made one"

    store.change([], lambda _: ())

    assert store_at(place, Path()).exists()
    assert store.all() == ()


def test_looking_for_a_register_makes_nothing(tmp_path: Path) -> None:
    for where in ("none", "sqlite:none.db", f"sqlite://{tmp_path / 'none.db'}", "sqlite:no/f.db"):
        assert not store_at(where, tmp_path).exists()
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "empty.db").touch()
    assert not store_at("sqlite:empty.db", tmp_path).exists()


def test_a_database_that_cannot_be_looked_at_says_so(tmp_path: Path, server: str) -> None:
    (tmp_path / "x.db").write_text("this is text, and long enough to be looked at" * 20)
    for where in (f"sqlite:{tmp_path / 'x.db'}", f"{server}/nowhere"):
        with pytest.raises(UsageError, match=r"not a database|does not exist"):
            store_at(where, Path()).exists()
