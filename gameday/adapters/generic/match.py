"""JMESPath: which part of a JSON answer says that a fault is in place."""

from __future__ import annotations

from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError


def problem_of(expression: Any) -> str:
    """Why *expression* is no JMESPath; empty if it is one."""
    if not isinstance(expression, str):
        return f"`match` has to be a JMESPath expression, not {expression!r}"
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        first = str(error).partition("\n")[0]
        return f"`match: {expression}` is not JMESPath: {first}"
    return ""


def holds(expression: str, answer: Any) -> bool:
    """Whether *expression* finds something in *answer*: not null, false, 0, or empty.

    Raises `ValueError` when it cannot be applied to such an answer.
    """
    try:
        return bool(jmespath.search(expression, answer))
    except (JMESPathError, RecursionError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"`match: {expression}` does not fit the answer: {first}") from None


def found_in(answer: Any, expression: str) -> Any:
    """What *expression* finds in *answer*; None also when it does not fit such an answer."""
    try:
        return jmespath.search(expression, answer)
    except (JMESPathError, RecursionError):
        return None
