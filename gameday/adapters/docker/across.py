"""The same thing on several containers at once: a slow one must not delay the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gameday.adapters.docker.engine import Engine
from gameday.errors import GamedayError

A = TypeVar("A")
B = TypeVar("B")
_AT_ONCE = 8


def across(
    items: Sequence[A], engine: Callable[[], Engine], call: Callable[[Engine, A], B]
) -> list[B | GamedayError]:
    """*call* on each item, each with an engine of its own; an error stands in place of a result."""

    def one(item: A) -> B | GamedayError:
        with engine() as own:
            try:
                return call(own, item)
            except GamedayError as error:
                return error

    if len(items) < 2:
        return [one(item) for item in items]
    with ThreadPoolExecutor(min(_AT_ONCE, len(items))) as pool:
        return list(pool.map(one, items))


def errors_of(results: Sequence[object]) -> list[GamedayError]:
    """The errors among the results."""
    return [r for r in results if isinstance(r, GamedayError)]
