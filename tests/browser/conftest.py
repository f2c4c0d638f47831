"""One browser for each file of tests, axe, and the reports of all kinds of runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_support import Browser, MissingError, axe_script, chromium, missing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # of the module, not of the session: its event loop must not outlive these tests
    try:
        with chromium() as found:
            yield found
    except MissingError as error:
        missing(error)


@pytest.fixture(scope="module")
def axe() -> str:
    try:
        return axe_script()
    except MissingError as error:
        missing(error)
        raise
