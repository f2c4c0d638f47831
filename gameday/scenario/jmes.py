"""Whether a JMESPath expression can be read: the only module here that knows the library."""

from __future__ import annotations

import warnings
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions


class JmesError(ValueError):
    """An expression that cannot be read; the text says why, in one line."""


def check_expression(text: str) -> None:
    """Raises JmesError when *text* is not an expression, or calls what is not a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of literals that are no JSON
            parsed = jmespath.compile(text).parsed
        unknown = sorted(_called(parsed) - set(Functions.FUNCTION_TABLE))
    except JMESPathError as error:
        first = str(error).strip().split("\n", 1)[0].rstrip(":")
        first = first.partition("jmespath expression: ")[2] or first
        raise JmesError(first[:1].lower() + first[1:]) from None
    except RecursionError:
        raise JmesError("too many levels") from None
    if unknown:
        raise JmesError(f"there is no function `{unknown[0]}`")


def _called(part: Any) -> set[str]:
    found = {str(part["value"])} if part.get("type") == "function_expression" else set()
    for child in part.get("children", ()):
        found |= _called(child) if isinstance(child, dict) else set()
    return found
