"""The kinds of values that people write in the files: each a parser and a JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any

from gameday.model.criteria import Criterion, CriterionError, Steady, parse_criterion
from gameday.model.project import Slo
from gameday.model.units import UnitError, duration_ms, rate_per_s, ratio
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import FieldError, Scalar, kind_of, shown

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]+\])"
_HOST_PORT = rf"{_HOST}(?::[0-9]{{1,5}})?"
_ADDRESS = rf"(?P<host>{_HOST}):(?P<port>[0-9]{{1,5}})"
_URL = rf"https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[^\s]*)?"
_PATH = r"/[^\s]*"
_PROBE = r"tcp|postgres|redis|http:/[^\s]*"
_SLO = re.compile(r"(?P<share>[0-9.]+ ?%)(?:\s*<\s*(?P<limit>\S+))?")
#: A limit on everything: nothing in a scenario takes longer than a week.
LONGEST_MS = (7 * 86_400_000, "7d")
MOST_PER_S = (100_000.0, "100000/s")
_LONGEST_CONDITION = 200

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_SHARE = r"0*(?:100(?:\.0+)?|[0-9]{1,2}(?:\.[0-9]+)?) ?%"
_DURATION = rf"^\s*(?:{_NUMBER}(?:us|ms|s|m|h|d))+\s*$"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError(
            "document/wrong-type",
            f"`{shown(value)}` is {kind_of(value)}; it must be text",
            "put it in quotes"
            if isinstance(value, (bool, int, float))
            else "write one line of text",
        )
    if not value.strip():
        raise FieldError("value/empty", "the text is empty", "write something, or remove the key")
    return value.strip()


def matching(regex: str, code: str, what: str, hint: str) -> Callable[[Any], str]:
    """A parser of text that is *what*, which *regex* says; otherwise *code* and *hint*."""
    compiled = re.compile(regex)

    def parse(value: Any) -> str:
        text = _text(value)
        if compiled.fullmatch(text) is None:
            raise FieldError(code, f"`{text}` is not {what}", hint)
        return text

    return parse


def pattern(regex: str, **more: Any) -> dict[str, Any]:
    """The JSON Schema of text that `matching` lets pass."""
    return {"type": "string", "pattern": rf"^\s*(?:{regex})\s*$", **more}


def whole(low: int, high: int, what: str) -> Scalar:
    """A whole number within bounds."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise FieldError(
                "value/number",
                f"`{shown(value)}` is not {what}",
                f"write a whole number from {low} to {high}",
            )
        return value

    return Scalar(parse, {"type": "integer", "minimum": low, "maximum": high})


def choice(options: Collection[str]) -> Scalar:
    """One of a few words."""

    def parse(value: Any) -> str:
        text = _text(value)
        if text not in options:
            raise FieldError(
                "value/choice", f"`{text}` is not possible here", did_you_mean(text, options)
            )
        return text

    return Scalar(parse, {"enum": sorted(options)})


def quantity(
    reader: Callable[[object], Any], code: str, most: tuple[float, str], schema: dict[str, Any]
) -> Scalar:
    """A number with a unit, at most *most*, read by one of `gameday.model.units`."""

    def parse(value: Any) -> Any:
        try:
            read = reader(value)
            if read <= most[0]:
                return read
            raise OverflowError
        except UnitError as error:
            summary, hint = split_hint(str(error))
            raise FieldError(code, _plain_words(summary, value), hint) from None
        except OverflowError:
            raise FieldError(code, f"`{value}` is too much", f"write at most `{most[1]}`") from None

    return Scalar(parse, schema)


def _plain_words(summary: str, value: Any) -> str:
    """Python's words for a value replaced by those of YAML."""
    return summary.replace(f"`{value}`", f"`{shown(value)}`", 1)


def split_hint(message: str) -> tuple[str, str]:
    """`what is wrong; what to do` in two."""
    summary, found, hint = message.rpartition("; ")
    return (summary, hint) if found else (message, "")


def _seconds(least: int) -> Scalar:
    def parse(value: Any) -> int:
        ms = int(DURATION.parse(value))
        if ms % 1000 or ms < least * 1000:
            raise FieldError(
                "value/whole-seconds",
                f"`{value}` is not a whole number of seconds"
                if ms % 1000
                else f"`{value}` is too short",
                f"write whole seconds, at least {least}s",
            )
        return ms

    return Scalar(parse, DURATION.schema)


def _url(value: Any) -> str:
    text = matching(_URL, "value/url", "an address", "write `http://host:port`, in quotes")(value)
    port = re.match(rf"https?://{_HOST}:([0-9]+)", text)
    if port is not None and not 0 < int(port[1]) < 65536:
        raise FieldError("value/url", f"`{text}` is not an address", "a port is 1 to 65535")
    return text.rstrip("/")


def _address(low: int) -> Scalar:
    hint = "write `127.0.0.1:18801`, in quotes"

    def parse(value: Any) -> str:
        text = _text(value)
        found = re.fullmatch(_ADDRESS, text)
        if found is None or not low <= int(found["port"]) < 65536:
            raise FieldError("value/address", f"`{text}` is not `host:port`", hint)
        return text

    return Scalar(parse, pattern(_ADDRESS.replace("?P<host>", "").replace("?P<port>", "")))


def _json(value: Any) -> Any:
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, float) and not math.isfinite(part):
            raise FieldError(
                "value/json", f"`{shown(part)}` is not a number in JSON", "put it in quotes"
            )
    return value


def _slo(value: Any) -> Slo:
    text = _text(value)
    hint = 'write `99.9%`, or `"99% < 500ms"` for answers in time'
    found = _SLO.fullmatch(text)
    try:
        if found is not None:
            limit = duration_ms(found["limit"]) if found["limit"] else None
            share = ratio(found["share"])
            if 0 < share < 1 and limit != 0:
                return Slo(name="", share=share, latency_ms=limit)
    except (UnitError, OverflowError):
        pass
    raise FieldError("value/slo", f"`{text}` is not an objective", hint)


def _condition(*, steady: bool, window: bool) -> Callable[[Any], Criterion | Steady]:
    def parse(value: Any) -> Criterion | Steady:
        if isinstance(value, str) and len(value) > _LONGEST_CONDITION:
            raise FieldError(
                "criterion/syntax", "a condition this long cannot be read", "shorten it"
            )
        try:
            found = parse_criterion(value)
        except CriterionError as error:
            summary, hint = split_hint(str(error))
            raise FieldError(
                f"criterion/{error.part}", _plain_words(summary, value), hint
            ) from None
        except OverflowError:
            raise FieldError("criterion/limit", f"`{value}` is too much", "write less") from None
        if isinstance(found, Steady):
            if steady:
                return found
            raise FieldError(
                "criterion/steady",
                f"`{value}` has no meaning here",
                "`steady within` belongs to `expect.recovery`; write for example `errors < 1%`",
            )
        if not window and re.search(r"\s(over|for)\s", found.text):
            raise FieldError(
                "criterion/window",
                f"`{value}` has a window of its own",
                "in `expect` the phase is the window; remove `over …` and `for …`",
            )
        return found

    return parse


def _condition_schema(*, steady: bool, window: bool) -> dict[str, Any]:
    time = rf"(?:{_NUMBER}(?:us|ms|s|m|h|d))+"
    ratio_ = rf"(?:errors|goodput)\s*[<>]=?\s*{_SHARE}"
    percentile = rf"p(?:50|75|90|95|99|99\.9)\s*[<>]=?\s*{time}"
    windows = rf"(?:\s+over\s+{time})?(?:\s+for\s+{time})?" if window else ""
    whole = rf"(?:\S.*?\s+)?(?:{ratio_}|{percentile}){windows}"
    return pattern(rf"{whole}|steady\s+within\s+{time}" if steady else whole)


TEXT = Scalar(_text, {"type": "string", "pattern": r"\S"})
NAME = Scalar(
    matching(
        _NAME,
        "value/name",
        "a name",
        "write letters, digits, `-`, `_` and `.`, at most 63 of them, a letter or digit first",
    ),
    pattern(_NAME),
)
DURATION = quantity(
    duration_ms,
    "value/duration",
    LONGEST_MS,
    {
        "anyOf": [{"type": "string", "pattern": _DURATION}, {"const": 0}],
        "examples": ["800ms", "2s", "1m30s"],
    },
)


def between(low_ms: int, high_ms: int, words: str) -> Scalar:
    """A duration within bounds; *words* are the bounds as people write them."""

    def parse(value: Any) -> int:
        ms = int(DURATION.parse(value))
        if not low_ms <= ms <= high_ms:
            how = "short" if ms < low_ms else "long"
            raise FieldError("value/duration", f"`{value}` is too {how}", f"write {words}")
        return ms

    return Scalar(parse, DURATION.schema)


SECONDS = _seconds(1)
SECONDS_FROM_0 = _seconds(0)
SHARE = quantity(ratio, "value/share", (1.0, "100%"), pattern(_SHARE, examples=["5%", "0.1%"]))
RATE = quantity(
    rate_per_s,
    "value/rate",
    MOST_PER_S,
    pattern(rf"{_NUMBER} ?/ ?(?:s|sec|second|m|min|minute|h|hour)", examples=["100/s", "30/m"]),
)
URL = Scalar(_url, pattern(_URL, examples=["http://127.0.0.1:18801"]))
LISTEN = _address(0)
ADDRESS = _address(1)
HOST = Scalar(
    matching(_HOST_PORT, "value/address", "the name of a host", "write `wiki.example.org`"),
    pattern(_HOST_PORT),
)
REQUEST_PATH = Scalar(
    matching(_PATH, "value/path", "the path of a request", "write `/products`"),
    pattern(_PATH),
)
PROBE = Scalar(
    matching(
        _PROBE, "value/probe", "a probe", "write `http:/healthz`, `postgres`, `redis` or `tcp`"
    ),
    pattern(_PROBE),
)
SLO = Scalar(
    _slo,
    pattern(r"0*[0-9]{1,2}(?:\.[0-9]+)? ?%(?:\s*<\s*\S+)?", examples=["99.9%", "99% < 500ms"]),
)
JSON = Scalar(_json, {})
EXPECTED = Scalar(
    _condition(steady=False, window=False), _condition_schema(steady=False, window=False)
)
EXPECTED_AFTER = Scalar(
    _condition(steady=True, window=False), _condition_schema(steady=True, window=False)
)
CONDITION = Scalar(
    _condition(steady=False, window=True), _condition_schema(steady=False, window=True)
)


def _version(value: Any) -> int:
    if isinstance(value, bool) or value != 1:
        raise FieldError(
            "document/version",
            f"`{shown(value)}` is not a version of this format",
            "write `gameday: 1`",
        )
    return 1


def _true(value: Any) -> bool:
    if value is not True:
        raise FieldError(
            "value/choice", f"`{shown(value)}` is not possible here", "write `down: true`"
        )
    return True


def _yes(value: Any) -> bool:
    if value is not True:
        raise FieldError(
            "value/choice",
            f"`{shown(value)}` is not possible here",
            "write `true`, or leave it out",
        )
    return True


VERSION = Scalar(_version, {"const": 1})
TRUE = Scalar(_true, {"const": True})
YES = Scalar(_yes, {"const": True})


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise FieldError(
        "document/wrong-type",
        f"a profile is {kind_of(value)}; it must be a mapping",
        "write what is different in it, for example `{phases: {fault: 20s}}`",
    )


PROFILE = Scalar(_mapping, {"type": "object"})
