"""The drill that comes with the shop: a real backup, really restored; where it lies, it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.app.day_journal import days_of
from gameday.demo.shop import Shop
from gameday.demo.topology import free_topology

pytestmark = pytest.mark.demo
LIBRARY = Path(__file__).parents[2] / "scenarios"
PLAN = "days/restore-drill.yaml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop's project with a shop that runs in it."""
    folder = tmp_path_factory.mktemp("drill") / "scenarios"
    shutil.copytree(LIBRARY, folder, ignore=shutil.ignore_patterns(".shop", "reports"))
    (folder / ".shop").mkdir()
    with Shop(free_topology(), folder / ".shop", proxied=False) as shop:
        shop.start(lambda text: None)
        yield folder


def call(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=project, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def rehearse(project: Path, **changes: str) -> tuple[int, dict[str, object]]:
    """The exit code of the drill, and what its last event says."""
    text = (LIBRARY / PLAN).read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (project / PLAN).write_text(text)
    begun = call(
        project, "gameday", "day", "start", PLAN, "--take", "owner", "--take", "coordinator"
    )
    assert begun.returncode == 0, begun.stderr
    ended = call(project, "gameday", "day", "next", PLAN, "--go")
    day = days_of(project / "reports")[-1]
    last = [e for e in day.events() if e.kind == "day.item"][-1]
    assert call(project, "gameday", "day", "stop", PLAN).returncode == 0
    return ended.returncode, dict(last.data)


def without_backup() -> dict[str, str]:
    """The plan for the backup that is there already."""
    lines = (LIBRARY / PLAN).read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if "prepare:" in line)
    last = next(n for n, line in enumerate(lines) if "steps:" in line)
    return {"".join(lines[first:last]): ""}


def test_the_database_comes_back_whole_and_in_time(project: Path) -> None:
    code, facts = rehearse(project)

    assert code == 0, facts
    assert facts["whole"] is True
    assert facts["cleaned_up"] is True
    assert 0 < int(str(facts["rto_ms"])) < 60_000
    assert 0 <= int(str(facts["rpo_ms"])) < 60_000
    left = call(project, "gameday.demo.restore", "check-tables")
    assert left.returncode == 1
    assert "shop_restored" in left.stderr


def test_a_backup_that_is_too_old_fails_although_it_comes_back(project: Path) -> None:
    assert call(project, "gameday.demo", "buy", "gateway-1", "--state", ".shop").returncode == 0
    assert call(project, "gameday.demo.restore", "backup").returncode == 0
    taken = time.monotonic()
    while time.monotonic() - taken < 1.2:  # the age of the backup is what the test is about
        time.sleep(0.1)

    code, facts = rehearse(project, **without_backup(), **{"rpo: 15m": "rpo: 1s"})

    assert code == 1
    assert facts["whole"] is True
    assert str(facts["reason"]).startswith("RPO was ")
    assert "1 s is allowed" in str(facts["reason"])


def test_a_table_that_is_not_in_the_backup_is_found(project: Path) -> None:
    made = call(project, "gameday.demo.restore", "backup", "--without", "orders")
    assert made.returncode == 0, made.stderr

    code, facts = rehearse(project, **without_backup())

    assert code == 1
    assert facts["whole"] is False
    assert "did not come back: orders" in str(facts["reason"])
    assert facts["cleaned_up"] is True


def test_a_row_that_is_not_as_it_was_is_found(project: Path) -> None:
    """The note beside the backup says what was in it."""
    assert call(project, "gameday.demo.restore", "backup").returncode == 0
    note = project / ".shop" / "backup.json"
    told = json.loads(note.read_text())
    told["tables"]["products"]["checksum"] = "0" * 32
    told["tables"]["invoices"] = {"rows": 3, "checksum": "0" * 32}
    note.write_text(json.dumps(told))

    code, facts = rehearse(project, **without_backup())

    assert code == 1
    assert "products has 16 rows and had 16, or other content" in str(facts["reason"])
    assert "invoices did not come back" in str(facts["reason"])


def test_without_a_backup_there_is_no_drill(project: Path) -> None:
    (project / ".shop" / "backup.dump").unlink(missing_ok=True)

    code, facts = rehearse(project, **without_backup())

    assert code == 1
    assert "there is no backup" in str(facts["reason"])
