"""All leases of a run as one: what may have been taken is given back, whatever broke it off."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gameday.app.leases import Leases
from gameday.app.run import _forget_untouched
from gameday.app.rundir import RunDir
from gameday.errors import AdapterError, NoEffectError, RefusedError
from gameday.ports import Undo
from gameday.sentinel import owner


@dataclass
class Place:
    """A place of which everything is noted; taking it and giving it back may go wrong."""

    name: str
    noted: list[str]
    taking: BaseException | None = None
    releasing: list[Exception] = field(default_factory=list)

    @property
    def undo(self) -> Undo:
        return {"name": self.name}

    def take(self) -> Undo:
        self.noted.append(f"took {self.name}")
        if self.taking is not None:
            raise self.taking
        return self.undo

    def renew(self) -> None:
        self.noted.append(f"renewed {self.name}")

    def release(self) -> None:
        if self.releasing:
            raise self.releasing.pop()
        self.noted.append(f"gave {self.name} back")


def taken(*places: Place) -> Leases:
    leases = Leases(places)
    leases.take(lambda undo: places[0].noted.append(f"noted {undo['name']}"))
    return leases


def test_each_is_noted_before_it_is_taken_and_the_last_is_given_back_first() -> None:
    noted: list[str] = []
    leases = taken(Place("a", noted), Place("b", noted))
    assert leases.release_quietly()
    assert leases.release_quietly(), "again there is nothing to do"
    assert noted == [
        "noted a", "took a", "noted b", "took b", "gave b back", "gave a back",
    ]  # fmt: skip


def test_one_that_was_interrupted_while_it_was_taken_is_given_back() -> None:
    """Its server may have heard it, and only its answer was not waited for."""
    noted: list[str] = []
    places = Place("a", noted), Place("b", noted, KeyboardInterrupt()), Place("c", noted)
    leases = Leases(places)
    with pytest.raises(KeyboardInterrupt):
        leases.take(lambda _: None)
    assert leases.release_quietly()
    assert noted[2:] == ["gave b back", "gave a back"]


@pytest.mark.parametrize(
    ("error", "back"),
    [
        (RefusedError("held"), ["gave a back"]),
        (NoEffectError("no"), ["gave a back"]),
        (AdapterError("no answer"), ["gave b back", "gave a back"]),
    ],
)
def test_all_are_taken_or_none_and_what_is_somebody_elses_is_left_alone(
    error: Exception, back: list[str]
) -> None:
    noted: list[str] = []
    with pytest.raises(RefusedError, match=str(error)):
        taken(Place("a", noted), Place("b", noted, error))
    assert noted[4:] == back


def test_one_that_could_not_be_given_back_is_tried_again() -> None:
    noted: list[str] = []
    stuck = Place("b", noted, releasing=[AdapterError("no answer")])
    leases = taken(Place("a", noted), stuck)
    assert not leases.release_quietly()
    assert leases.release_quietly()
    assert noted[4:] == ["gave a back", "gave b back"]


def test_the_directory_of_a_run_that_may_still_hold_a_lease_stays_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = RunDir(path=tmp_path / "run-1")
    where.path.mkdir()
    owner.claim(where.path)
    owner.add_after(where.path, {"kind": "fake", "name": "lease"})

    assert not _forget_untouched(where)
    assert where.path.is_dir()
    assert "a lease may still be held; `gameday recover run-1`" in capsys.readouterr().err

    owner.given_back(where.path)
    assert _forget_untouched(where)
    assert not where.path.exists()
    assert capsys.readouterr().err == ""
