"""The kinds of values in calls of generic faults, and in references to secrets."""

from __future__ import annotations

import re
from typing import Any

from gameday.scenario import fields as f
from gameday.scenario.jmes import JmesError, check_expression
from gameday.scenario.validate import FieldError, Scalar, kind_of, shown

_ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
_MODULE = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_CALL_URL = r"https?://[^\s/?#@]+(?:[/?][^\s#]*)?"
_LONGEST_PATTERN = 1_000


def _as_written(value: Any) -> str:
    """Text with its blanks: what stands before a secret, a body, an argument."""
    if not isinstance(value, str):
        raise FieldError(
            "document/wrong-type",
            f"`{shown(value)}` is {kind_of(value)}; it must be text",
            "put it in quotes" if isinstance(value, (bool, int, float)) else "write text",
        )
    return value


def _argument(value: Any) -> str:
    text = _as_written(value)
    if "\0" in text:
        raise FieldError(
            "value/argument", "a program cannot be given a zero character", "remove it"
        )
    return text


def _no_shell(value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        words = ", ".join(value.split()[:12])
        raise FieldError(
            "command/shell",
            "a command is a list of its words: there is no shell that would take a text apart",
            f"write `[{words}]`",
        )
    raise FieldError(
        "document/wrong-type",
        f"a command is {kind_of(value)}; it must be a list",
        'write `[./bin/flag.sh, "on"]`',
    )


def _regex(value: Any) -> str:
    text = _as_written(value)
    if not text or len(text) > _LONGEST_PATTERN:
        raise FieldError("value/regex", "not a pattern of a usable length", "write a shorter one")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise FieldError(
            "value/regex",
            f"`{text}` is not a regular expression: {error}",
            "see the syntax of Python's `re`; put a backslash before `(`, `[`, `*`, `+` or `?`",
        ) from None
    return text


def _jmespath(value: Any) -> str:
    text = _as_written(value)
    if not text.strip() or len(text) > _LONGEST_PATTERN:
        raise FieldError("value/match", "not an expression of a usable length", "write another")
    try:
        check_expression(text)
    except JmesError as error:
        raise FieldError(
            "value/match",
            f"`{text}` is not a JMESPath expression: {error}",
            "write for example `enabled == 'yes'`, with text in single quotes",
        ) from None
    return text


def _call_url(value: Any) -> str:
    found = f.matching(_CALL_URL, "value/url", "an address", "write `http://host:port/path`")(value)
    port = re.match(r"https?://[^/?]*:([^/?:\]]*)(?:[/?]|$)", found)
    if port is not None and not (port[1].isdecimal() and 0 < int(port[1][:6]) < 65536):
        raise FieldError("value/url", f"`{found}` is not an address", "a port is 1 to 65535")
    return found


def _json_mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldError(
            "document/wrong-type",
            f"this is {kind_of(value)}; it must be a mapping",
            "write `key: value` lines below it",
        )
    checked: dict[str, Any] = f.JSON.parse(value)
    return checked


AS_WRITTEN = Scalar(_as_written, {"type": "string"})
ARGUMENT = Scalar(_argument, {"type": "string"})
NO_SHELL = Scalar(_no_shell, {})
REGEX = Scalar(_regex, {"type": "string", "minLength": 1})
MATCH = Scalar(_jmespath, {"type": "string", "pattern": r"\S"})
CALL_URL = Scalar(_call_url, f.pattern(_CALL_URL, examples=["http://127.0.0.1:8080/flags/slow"]))
JSON_MAPPING = Scalar(_json_mapping, {"type": "object"})
ENV_NAME = Scalar(
    f.matching(_ENV_NAME, "value/name", "the name of an environment variable", "write `MY_TOKEN`"),
    f.pattern(_ENV_NAME),
)
MODULE = Scalar(
    f.matching(_MODULE, "value/name", "a module of Python", "write `package.module`"),
    f.pattern(_MODULE),
)
FUNCTION = Scalar(
    f.matching(r"[A-Za-z_][A-Za-z0-9_]*", "value/name", "a function of Python", "write its name"),
    f.pattern(r"[A-Za-z_][A-Za-z0-9_]*"),
)
CALL_TIMEOUT = f.between(1, 60_000, "at most `60s`")
EXIT = f.whole(0, 255, "an exit code")
STATUS = f.whole(100, 599, "an HTTP status")
