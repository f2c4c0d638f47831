"""What may be filled, how far, and what the scripts do to a folder; tried on a plain one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gameday.adapters.docker.actions.disk import (
    SHARED_RESERVE,
    delete_script,
    file_name,
    fill_script,
    problem_of,
    seen_script,
    where_of,
)
from gameday.adapters.docker.engine import Found
from gameday.errors import NoEffectError

MB = 1_000_000
NAME = "gameday-r-f.fill"


def container(mounts: list[dict[str, Any]], tmpfs: dict[str, str] | None = None) -> Found:
    return Found(id="b", name="box", attrs={"Mounts": mounts, "HostConfig": {"Tmpfs": tmpfs}})


VOLUME = {"Type": "volume", "Name": "data", "Destination": "/data", "RW": True}
FOLDER = {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": True}


def test_volumes_and_tmpfs_are_found_by_their_mount_points() -> None:
    box = container([VOLUME, {"Type": "tmpfs", "Destination": "/mem"}], {"/run/": "size=1m"})

    assert where_of(box, "/data/") == {"kind": "volume", "volume": "data", "path": "/data"}
    assert where_of(box, "/mem")["kind"] == "tmpfs"
    assert where_of(box, "/run")["kind"] == "tmpfs"


@pytest.mark.parametrize("path", ["/", "/srv", "/data/sub", "/dat", "data", "", "/data/../srv"])
def test_everything_else_is_refused_with_what_there_is(path: str) -> None:
    with pytest.raises(NoEffectError, match="`/data`"):
        where_of(container([VOLUME, FOLDER]), path)


def test_a_container_without_volumes_is_said_to_have_none() -> None:
    with pytest.raises(NoEffectError, match="none, it has"):
        where_of(container([FOLDER]), "/data")
    with pytest.raises(NoEffectError, match="read-only"):
        where_of(container([{**VOLUME, "RW": False}]), "/data")


@pytest.mark.parametrize(
    ("facts", "reserve", "why"),
    [
        ({"free": 50 * MB}, 10 * MB, None),
        ({"free": 50 * MB}, 50 * MB, "nothing to fill"),
        ({"free": 30_000 * MB, "type": "tmpfs"}, MB, "`size`"),
        ({"free": 20_000 * MB, "type": "tmpfs"}, 1_000 * MB, None),
        ({"free": 90_000 * MB, "same_as_engine": True}, 64 * MB, "engine itself"),
        ({"free": 90_000 * MB, "same_as_engine": True}, SHARED_RESERVE, None),
    ],
)
def test_how_far_it_may_be_filled(facts: dict[str, Any], reserve: int, why: str | None) -> None:
    seen = {"type": "ext2/ext3", "same_as_engine": False, **facts}

    said = problem_of(seen, {"path": "/data", "reserve": reserve}, 80_000 * MB)

    assert said is None if why is None else why in (said or "")


def test_a_name_that_could_lead_elsewhere_is_refused() -> None:
    assert file_name("run-1", "full.disk") == "gameday-run-1-full.disk.fill"
    for name in ("", "../x", "a/b", "a b", "$(id)"):
        with pytest.raises(NoEffectError):
            file_name("run", name)


def shell(script: str) -> tuple[int, dict[str, str]]:
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, dict(re.findall(r"^gameday (\w+) (\S+)$", done.stdout, re.MULTILINE))


def almost_all(folder: Path, megabytes: int) -> int:
    """A reserve that leaves about so much to be filled, on the disk of the tests."""
    return shutil.disk_usage(folder).free - megabytes * 2**20


def test_it_fills_down_to_the_floor_and_deletes_its_own_file_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("x")

    code, facts = shell(fill_script(str(tmp_path), NAME, almost_all(tmp_path, 16)))

    # Others write to the disk of the tests at the same time: only whether and what, not how much.
    assert code in (0, 5)
    assert (code == 0) == (tmp_path / NAME).exists() == ("filled" in facts)
    assert shell(delete_script(str(tmp_path), NAME))[1]["there"] == "no"
    assert shell(delete_script(str(tmp_path), NAME))[1].get("was") is None
    assert [each.name for each in tmp_path.iterdir()] == ["theirs"]


def test_nothing_is_written_when_there_is_too_little(tmp_path: Path) -> None:
    code, _ = shell(fill_script(str(tmp_path), NAME, 2**50))

    assert code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_its_place_is_neither_followed_nor_filled(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("x")
    (tmp_path / NAME).symlink_to(theirs)

    code, _ = shell(fill_script(str(tmp_path), NAME, almost_all(tmp_path, 16)))

    assert code == 5
    assert theirs.read_text() == "x"
    assert shell(seen_script(str(tmp_path), NAME))[1]["there"] == "yes"
    assert shell(delete_script(str(tmp_path), NAME))[1]["there"] == "no"
    assert theirs.read_text() == "x"


def test_a_folder_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    code, facts = shell(seen_script(str(tmp_path / "nowhere"), NAME))

    assert code != 0
    assert "there" not in facts
