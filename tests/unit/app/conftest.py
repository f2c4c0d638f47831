"""What several tests of the application need."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def signals_as_in_a_terminal() -> Iterator[None]:
    """In the background SIGINT is ignored, and stays so."""
    meant = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in meant.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
