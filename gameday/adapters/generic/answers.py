"""Asking a service a question over HTTP until its answer is right, or the time is over."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from gameday.adapters.generic.match import found_in
from gameday.adapters.http import Http, shown
from gameday.errors import CannotSeeError

#: How long one answer may take, and how soon it is asked again.
ONE_S = 10.0
PAUSE_S = 0.5
MAX_BYTES = 1024 * 1024
#: A value of an answer that is longer as JSON stands in the journal as its beginning.
VALUE_CHARS = 500


def ask_until_right(
    base_url: str,
    path: str,
    wanted: Mapping[str, Any],
    *,
    within_s: float,
    deaf_tries: int | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """GET *path* below *base_url*: `right`, the `values` of *wanted* in the last answer, `tries`.

    With *deaf_tries* it is given up when the first so many had no answer at all. Nothing is sent
    that could change something. Raises CannotSeeError when no answer with JSON
    came at all; an expression that does not fit the answer has the value null.
    """
    begun = time.monotonic()
    last: dict[str, Any] | None = None
    why, tries = "", 0
    while True:
        tries += 1
        left_s = begun + within_s - time.monotonic()
        try:
            answer = _asked(base_url, path, total_s=min(ONE_S, max(0.5, left_s)))
        except CannotSeeError as error:
            why = str(error)
        else:
            values = {expression: found_in(answer, expression) for expression in wanted}
            right = all(_same(values[name], value) for name, value in wanted.items())
            last = {"right": right, "values": {k: _short(v) for k, v in values.items()}}
        over = time.monotonic() - begun + PAUSE_S >= within_s
        over = over or (last is None and deaf_tries is not None and tries >= deaf_tries)
        if over or (last is not None and last["right"]):
            break
        wait(PAUSE_S)
    if last is None:
        raise CannotSeeError(why)
    ms = round((time.monotonic() - begun) * 1000)
    return {**last, "url": shown(base_url + path), "tries": tries, "ms": ms}


def _asked(base_url: str, path: str, *, total_s: float) -> Any:
    with closing(Http(base_url, what="it", total_s=total_s, max_bytes=MAX_BYTES)) as http:
        return http.get_json(path)[0]


def _same(found: Any, wanted: Any) -> bool:
    """As JSON has it: true is not 1, and 1.0 is 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _short(value: Any) -> Any:
    text = json.dumps(value)
    return value if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]}…"
