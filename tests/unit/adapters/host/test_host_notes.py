"""Notes: on disk before anything is broken, never another run's, never somebody else's."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gameday.adapters.host.files import create, inside, keep, locked, remove, replace
from gameday.adapters.host.notes import drop_note, find_note, note_path, notes, put_note
from gameday.errors import AdapterError, NoEffectError

UNDO: dict[str, Any] = {
    "kind": "host", "mode": "process.stop", "run": "r1", "fault": "f", "target": "t",
}  # fmt: skip


def test_a_note_is_put_found_replaced_and_dropped(tmp_path: Path) -> None:
    path = put_note(tmp_path, UNDO)
    assert path == tmp_path / ".gameday" / "host" / "undo-r1-f.json"
    put_note(tmp_path, {**UNDO, "more": 1})
    (found,), bad = notes(tmp_path)
    assert (found.undo, bad) == ({**UNDO, "more": 1}, [])
    note = find_note(tmp_path, UNDO)
    assert note is not None
    assert note.written_wall_ms > 0
    assert drop_note(tmp_path, UNDO)
    assert not drop_note(tmp_path, UNDO)
    assert notes(tmp_path) == ([], [])


def test_only_we_can_read_notes_and_git_leaves_them_out(tmp_path: Path) -> None:
    path = put_note(tmp_path, UNDO)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert (tmp_path / ".gameday" / ".gitignore").read_text() == "*\n"
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no draft is left


def test_notes_come_newest_first(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        path = put_note(tmp_path, {**UNDO, "fault": f"f{number}"})
        data = json.loads(path.read_text())
        path.write_text(json.dumps({**data, "written_wall_ms": number}))
    assert [n.undo["fault"] for n in notes(tmp_path)[0]] == ["f3", "f2", "f1"]


def test_a_target_and_a_fault_of_the_same_name_have_a_note_each(tmp_path: Path) -> None:
    target = {"kind": "host", "mode": "started", "run": "r1", "target": "f"}
    assert note_path(tmp_path, target) != note_path(tmp_path, UNDO)


@pytest.mark.parametrize("other", [{"run": "a", "fault": "b-c"}, {"run": "a-b", "fault": "c"}])
def test_a_note_of_another_fault_is_neither_replaced_nor_dropped(
    tmp_path: Path, other: dict[str, str]
) -> None:
    put_note(tmp_path, {**UNDO, **other})
    mine = {**UNDO, "run": {"a": "a-b", "a-b": "a"}[other["run"]]}
    mine["fault"] = {"b-c": "c", "c": "b-c"}[other["fault"]]
    with pytest.raises(NoEffectError, match="gameday recover --target"):
        put_note(tmp_path, mine)
    assert not drop_note(tmp_path, mine)
    assert find_note(tmp_path, mine) is None
    assert len(notes(tmp_path)[0]) == 1


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".x", "a b", "x" * 101, "a\n"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NoEffectError, match="cannot be the name of a fault"):
        put_note(tmp_path, {**UNDO, "fault": name})


def test_where_no_note_can_be_written_nothing_may_be_broken(tmp_path: Path) -> None:
    (tmp_path / ".gameday").write_text("in the way")
    with pytest.raises(NoEffectError, match="without it nothing is broken"):
        put_note(tmp_path, UNDO)


def test_a_folder_of_notes_that_leads_out_of_the_project_is_refused(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    (project / ".gameday").symlink_to(elsewhere)
    with pytest.raises(NoEffectError, match="outside of the project's folder"):
        put_note(project, UNDO)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("{", 0o600),
        ("[]", 0o600),
        ("{}", 0o600),
        ('{"gameday": 1}', 0o600),
        ('{"gameday": 1, "undo": {}}', 0o600),
        (json.dumps({"gameday": 1, "undo": UNDO}), 0o622),
    ],
)
def test_what_is_no_note_of_ours_is_named_and_not_followed(
    tmp_path: Path, text: str, mode: int
) -> None:
    path = put_note(tmp_path, UNDO)
    path.write_text(text)
    path.chmod(mode)
    found, (bad,) = notes(tmp_path)
    assert found == []
    assert str(path) in bad


def test_paths_outside_of_the_project_are_refused_through_links_too(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to("/etc/hostname")
    (project / "fine").symlink_to("real")
    for name in ("/etc/hostname", "../x", "link", "."):
        with pytest.raises(NoEffectError, match="outside of the project"):
            inside(project, name, "the certificate")
    assert inside(project, "fine", "the certificate") == project / "real"


def test_a_file_is_replaced_with_its_mode_and_only_created_once(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert create(path, b"one", mode=0o640)
    assert not create(path, b"two")
    kept = keep(path)
    replace(path, b"three", like=kept)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"three", 0o640)
    assert (kept.uid, kept.gid) == (os.geteuid(), os.getegid())
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert remove(path)
    assert not remove(path)


def test_a_lock_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        locked(lock, within_s=1.0),
        pytest.raises(AdapterError, match="another call"),
        locked(lock, within_s=0.05),
    ):
        pytest.fail("two hold the lock")
    with locked(lock, within_s=0.05):
        assert lock.exists()
