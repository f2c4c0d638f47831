"""Numbers over all alerts of a run: precision, recall, noise, and how long noticing took. Pure.

None is given without the number of its cases, and none with an interval that so few cases cannot
carry. A miss is counted and told, never left out of a median in silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from gameday.kpi.stats import INTERVAL_Z
from gameday.model.alerting import (
    AlertNumber,
    AlertVerdict,
    AlertWord,
    OtherEpisode,
    OtherWord,
)

#: What was not known counts neither for nor against an alert.
_NOT_KNOWN = (AlertWord.INCONCLUSIVE, AlertWord.ALREADY_FIRING, AlertWord.TOO_EARLY)
_FIRED = (AlertWord.CAUGHT, AlertWord.LATE)
_NOISE = (OtherWord.UNEXPECTED, OtherWord.FORBIDDEN)
#: From so many cases on, an interval of the median covers 95 % by order statistics.
LEAST_FOR_MEDIAN = 6


def alert_numbers(
    verdicts: Sequence[AlertVerdict],
    others: Sequence[OtherEpisode],
) -> tuple[AlertNumber, ...]:
    """All numbers; none where no alert was expected, or nothing is known of any."""
    known = [v for v in verdicts if v.verdict not in _NOT_KNOWN]
    fired = [v for v in known if v.verdict in _FIRED]
    if not known:
        return ()
    caught = sum(v.verdict is AlertWord.CAUGHT for v in known)
    noise = sum(o.word in _NOISE for o in others)
    noise += sum(v.verdict is AlertWord.TOO_EARLY for v in verdicts)
    again = sum(max(0, v.firings - 1) for v in fired)
    left = len(verdicts) - len(known)
    lacking = f"; {left} more could not be judged" if left else ""
    total = len(fired) + noise + again
    return (
        _share("recall_in_time", caught, len(known), f"expected alerts were caught{lacking}"),
        _share("recall_eventual", len(fired), len(known), f"expected alerts came at all{lacking}"),
        _share("precision", len(fired), len(fired) + noise, "firings were of an expected alert"),
        _share("noise_ratio", noise + again, total, "firings were noise or the same again"),
        _storm(verdicts, others),
        _times("ttd_firing", _all(fired, "firing_after_ms"), "from the fault on to firing", known),
        _times(
            "ttd_delivered",
            _all(fired, "delivered_after_ms"),
            "from the fault on to its arrival",
            known,
        ),
        _acknowledged(fired),
        _times("reset", _all(fired, "reset_ms"), "from the fault off to the end", fired),
    )


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, k of n (Wilson 1927); n is at least 1."""
    z2 = INTERVAL_Z**2
    share, scale = k / n, 1 + z2 / n
    middle = (share + z2 / (2 * n)) / scale
    half = INTERVAL_Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval of the median by order statistics, at least 95 %; None with too few values.

    The k-th smallest and k-th largest, for the largest k whose binomial tails allow it.
    """
    ordered, n = sorted(values), len(values)
    if n < LEAST_FOR_MEDIAN:
        return None
    tail, k = 0.5**n, 0
    while 2 * tail <= 1 - 0.95:
        k += 1
        tail += math.comb(n, k) * 0.5**n
    return ordered[k - 1], ordered[n - k]


def _share(name: str, k: int, n: int, what: str) -> AlertNumber:
    text = f"{k} of {n} {what}"
    low: float | None = None
    high: float | None = None
    if n > 1:
        low, high = wilson(k, n)
    elif n == 1:
        text += "; n = 1, so there is no interval"
    value = k / n if n else None
    return AlertNumber(name=name, unit="share", value=value, n=n, low=low, high=high, text=text)


def _storm(verdicts: Sequence[AlertVerdict], others: Sequence[OtherEpisode]) -> AlertNumber:
    """Firings a fault: what a responder sees at once, whoever expected it."""
    faults = len({v.fault for v in verdicts})
    new = [o for o in others if o.word is not OtherWord.BASELINE]
    count = sum(v.firings for v in verdicts) + len(new)
    text = f"{count} firings in {faults} fault{'s' if faults != 1 else ''}; a count, no sample"
    return AlertNumber(
        name="storm_factor", unit="per fault", value=count / faults if faults else None,
        n=faults, low=None, high=None, text=text,
    )  # fmt: skip


def _times(
    name: str, values: Sequence[float], what: str, of: Sequence[AlertVerdict]
) -> AlertNumber:
    n, missing = len(values), len(of) - len(values)
    text = f"median, {what}" if n > 1 else what
    if missing:
        text += f"; {missing} of {len(of)} never"
    found = median_interval(values)
    if n == 1:
        text += "; n = 1, so there is no interval"
    elif n and found is None:
        text += f"; n = {n} is too few for an interval, they were {_range(values)}"
    low, high = found or (None, None)
    value = median(values) if n else None
    return AlertNumber(name=name, unit="ms", value=value, n=n, low=low, high=high, text=text)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f} ms"


def _all(verdicts: Sequence[AlertVerdict], field: str) -> list[float]:
    found = (getattr(v, field) for v in verdicts)
    return [float(value) for value in found if value is not None]


def _acknowledged(fired: Sequence[AlertVerdict]) -> AlertNumber:
    """From the arrival of each alert to its own acknowledgement, whoever told it."""
    arrived = [v for v in fired if v.delivered_after_ms is not None]
    taken = [
        float(v.acknowledged_after_ms - (v.delivered_after_ms or 0))
        for v in arrived
        if v.acknowledged_after_ms is not None
        and v.acknowledged_after_ms >= (v.delivered_after_ms or 0)
    ]
    what = "from its arrival to its acknowledgement"
    by = ", ".join(dict.fromkeys(v.acknowledged_by for v in arrived if v.acknowledged_by))
    if taken:
        return _times("tta", taken, f"{what} (told: {by})", arrived)
    text = f"{what}; nobody told gameday of one" + (" after its arrival" if by else "")
    return AlertNumber(name="tta", unit="ms", value=None, n=0, low=None, high=None, text=text)
