"""What every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from docker_support import docker_engine, own_engine  # noqa: F401 - fixtures
from hypothesis import HealthCheck, settings

from gameday import secrets

settings.register_profile(
    "quick", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
#: Drawing takes seconds a run; what is about the figure asks for it.
os.environ.setdefault("GAMEDAY_FIGURE", "off")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    """What one test reads as a secret is not masked in the next.

    With patches of its own: a test's patches must be undone before what the test needs is ended.
    """
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(secrets, "_known", ())
        yield


@pytest.fixture(scope="session")
def real_server() -> Callable[..., str]:
    """The path of a real server's binary: a loud skip where it is missing, a failure in CI."""

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        message = f"{' or '.join(names)} is not on PATH: this was NOT tested against the real thing"
        if os.environ.get("GAMEDAY_REQUIRE_REAL") == "1":
            pytest.fail(message)
        pytest.skip(message)

    return find
