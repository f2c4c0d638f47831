"""Where the tests of this directory play."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crash_support import Scene, scene_in


@pytest.fixture(params=["embedded", pytest.param("started", marks=pytest.mark.real)])
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, real_server: Callable[..., str]
) -> Iterator[Scene]:
    if request.param == "started":
        real_server("toxiproxy-server")
    yield from scene_in(tmp_path, request.param)


@pytest.fixture
def one_scene(tmp_path: Path) -> Iterator[Scene]:
    """On whichever server there is."""
    yield from scene_in(tmp_path, "started" if shutil.which("toxiproxy-server") else "embedded")
