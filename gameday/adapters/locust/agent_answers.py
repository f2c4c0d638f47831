"""Whether an answer to a generated step is the one that is wanted; the user of JMESPath here."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError

from gameday.adapters.locust.agent_outcome import of_status, outcome_of
from gameday.model.scenario import Capture, Expect
from gameday.model.template import filled, filled_text, names_in

#: How much of a wrong value is shown.
_SHOWN = 80
_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_NOTHING = object()


class Judged(NamedTuple):
    """What became of a request: its outcome, what is wrong in words, and the captured values."""

    outcome: str
    problem: str = ""
    captured: Mapping[str, Any] = {}


class Wanted:
    """What the answers of one step must look like, made ready once for many answers."""

    def __init__(self, expect: Expect, capture: Mapping[str, Capture] | None = None) -> None:
        self._expect = expect
        self._json = {text: jmespath.compile(text) for text in expect.json}
        self._capture = [(name, _taker(one)) for name, one in (capture or {}).items()]
        self._open = any(names_in([expect.text, expect.headers, expect.json]))

    def filled(self, values: Mapping[str, Any]) -> Wanted:
        """The same with these values in what is expected."""
        if not self._open:
            return self
        made = copy.copy(self)
        expect = self._expect
        made._expect = replace(
            expect,
            text=None if expect.text is None else filled_text(expect.text, values),
            headers={name: filled_text(text, values) for name, text in expect.headers.items()},
            json=filled(expect.json, values),
        )
        return made

    def judge(self, exception: BaseException | None, response: Any, response_us: int) -> Judged:
        """What became of a request; *response_us* counts from the intended start."""
        status = getattr(response, "status_code", 0)
        status = status if isinstance(status, int) else 0
        if not status or (exception is not None and getattr(exception, "code", None) is None):
            return Judged(outcome_of(exception, response) if exception is not None else "other")
        wanted = self._expect.status
        if status != wanted and (wanted is not None or status >= 400):
            problem = f"status {status}, not {wanted}" if wanted is not None else f"status {status}"
            return Judged(of_status(status) or "expectation", problem)
        problem = next(self._problems(response, response_us), "")
        if problem:
            return Judged("expectation", problem)
        captured = {name: take(response) for name, take in self._capture}
        if nothing := [name for name, value in captured.items() if value in (None, "")]:
            return Judged("expectation", f"nothing to capture `{nothing[0]}` from")
        return Judged("ok", "", captured)

    def _problems(self, response: Any, response_us: int) -> Iterator[str]:
        limit_ms = self._expect.under_ms
        if limit_ms is not None and response_us >= limit_ms * 1000:
            yield f"answered after {response_us / 1000:.0f} ms, not under {limit_ms} ms"
        for name, value in self._expect.headers.items():
            found = header_of(response, name)
            if found != value:
                yield f"header `{name}` is {_shown(found)}, not {_shown(value)}"
        if self._expect.text is not None and self._expect.text not in text_of(response):
            yield f"the text {_shown(self._expect.text)} is not in it"
        if self._json:
            yield from self._json_problems(response)

    def _json_problems(self, response: Any) -> Iterator[str]:
        data = json_of(response)
        if data is _NOTHING:
            yield "not JSON"
            return
        for text, value in self._expect.json.items():
            found = found_in(self._json[text], data)
            if not same(found, value):
                yield f"json `{text}` is {_shown(found)}, not {_shown(value)}"


def header_of(response: Any, name: str) -> str | None:
    """The value of a header of an answer; None if it has none of that name."""
    headers: Mapping[str, str] | None = getattr(response, "headers", None)
    found = headers.get(name) if headers is not None else None
    return None if found is None else str(found)


def text_of(response: Any) -> str:
    """The body as text, by the character set that the answer names, UTF-8 unless it does."""
    named = _CHARSET.search(header_of(response, "Content-Type") or "")
    content: bytes = getattr(response, "content", None) or b""
    try:
        return content.decode(named[1] if named else "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def json_of(response: Any) -> Any:
    """The body as JSON; a value that equals nothing if it is none."""
    try:
        return json.loads(getattr(response, "content", None) or b"")
    except (ValueError, RecursionError):
        return _NOTHING


def found_in(compiled: Any, data: Any) -> Any:
    """What a compiled expression finds; null where it does not fit the data."""
    if data is _NOTHING:
        return None
    try:
        return compiled.search(data)
    except (JMESPathError, RecursionError):
        return None


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same in JSON, where `true` is not 1 but 1.0 is."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    equal: bool = a == b
    return equal


def _taker(capture: Capture) -> Callable[[Any], Any]:
    """How a value is taken from an answer; it gives null or empty text where there is none."""
    if capture.json is not None:
        compiled = jmespath.compile(capture.json)
        return lambda response: found_in(compiled, json_of(response))
    if capture.header is not None:
        return partial(header_of, name=capture.header)
    pattern = re.compile(capture.regex or "")

    def searched(response: Any) -> str | None:
        found = pattern.search(text_of(response))
        return None if found is None else found[1 if pattern.groups else 0]

    return searched


def _shown(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
