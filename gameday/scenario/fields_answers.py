"""The kinds of values in the questions that are asked once the load has stopped."""

from __future__ import annotations

from gameday.scenario import fields as f
from gameday.scenario.validate import Scalar

_PATH = r"/(?:[!-\"$-.0-~][!-\"$-~]*)?"
ASKED_PATH = Scalar(
    f.matching(_PATH, "value/path", "the path of a request", "write `/orders/summary`"),
    f.pattern(_PATH),
)
#: Long enough for books to be put in order, short enough for a run to end.
WITHIN = f.between(1_000, 60_000, "`1s` to `60s`")
