"""How much of a service's error budget is left: asked of Prometheus, or read from a file."""

from __future__ import annotations

import math
import re
import stat
from pathlib import Path
from typing import Any

from gameday.adapters.http import TOTAL_S, Http, shown
from gameday.errors import CannotSeeError
from gameday.model.policy import BudgetSource

WITHIN_S = TOTAL_S
MAX_BYTES = 4 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)( ?%)?")


def read_budget(
    source: BudgetSource, prometheus_url: str | None, directory: Path
) -> tuple[float, str]:
    """The share that is left (at most 1, negative when overspent), and where that was read.

    A relative file is looked for under *directory*. Raises `CannotSeeError`.
    """
    if source.query is not None:
        if prometheus_url is None:
            raise CannotSeeError("the budget is a query, and the environment has no Prometheus")
        return _asked(source.query, prometheus_url), f"prometheus at {shown(prometheus_url)}"
    if source.file is not None:
        return _read(directory / source.file, source.file), f"file {source.file}"
    raise CannotSeeError("the policy names neither a `query` nor a `file` for the budget")


def _asked(query: str, url: str) -> float:
    with Http(url, what="Prometheus", total_s=WITHIN_S, max_bytes=MAX_ANSWER_BYTES) as http:
        raw, _ = http.get_json("/api/v1/query", {"query": query})
    return _share(_value(raw), "the query of the budget gives")


def _value(raw: Any) -> float:
    """The one value of an instant query. Raises `CannotSeeError` if there is none, or more."""
    data = raw.get("data") if isinstance(raw, dict) else None
    if not isinstance(data, dict) or raw.get("status") != "success":
        raise CannotSeeError("Prometheus gave no result to the query of the budget")
    if raw.get("warnings"):
        why = str(raw["warnings"])[:200]
        raise CannotSeeError(f"Prometheus warns about the query of the budget: {why}")
    kind, found = data.get("resultType"), data.get("result")
    if kind == "vector" and isinstance(found, list):
        if len(found) != 1:
            raise CannotSeeError(
                f"the query of the budget gives {len(found)} values; it has to give one"
            )
        found = found[0].get("value") if isinstance(found[0], dict) else None
    elif kind != "scalar":
        raise CannotSeeError(
            f"the query of the budget gives a {kind}; it has to give one value, now"
        )
    try:
        return float(found[1])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, KeyError):
        raise CannotSeeError("Prometheus gave no number to the query of the budget") from None


def _read(path: Path, name: str) -> float:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CannotSeeError(f"the budget in `{name}` cannot be read: it is no regular file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is no path"
        raise CannotSeeError(f"the budget in `{name}` cannot be read: {why}") from None
    text = raw.decode("utf-8", errors="replace").strip()
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise CannotSeeError(
            f"`{name}` should hold what is left of the budget, such as `0.42` or `42 %`, "
            f"and holds `{text[:40]}`"
        )
    return _share(float(found[1]) / (100 if found[2] else 1), f"`{name}` holds")


def _share(value: float, who: str) -> float:
    """No more than all of it can be left: 42 is meant to be 42 %, and must not pass as 4200 %."""
    if not math.isfinite(value):
        raise CannotSeeError(f"{who} {value:g}, which is no share of a budget")
    if value > 1:
        raise CannotSeeError(f"{who} {value:g}, and a share is at most 1: divide percent by 100")
    return value
