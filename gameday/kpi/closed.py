"""Tail latency under a closed model: what it says during a fault, and what it does not."""

from __future__ import annotations

from gameday.model.criteria import Criterion
from gameday.model.scenario import LoadSpec

#: From this percentile on a few slow requests among many decide, and closed users make few.
TAIL = 0.95


def closed_tail(load: LoadSpec, criterion: Criterion) -> bool:
    """Whether *criterion* is about the slowest requests, and users who wait for answers make them.

    While the service stalls they ask nothing, so a stall is one slow request of each of them.
    """
    quantile = criterion.quantile
    return load.users is not None and quantile is not None and quantile >= TAIL


def closed_note(load: LoadSpec) -> str:
    """What to say beside such a number."""
    return f"this is what {load.users} closed users felt, who ask nothing while they wait"
