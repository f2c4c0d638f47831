"""Choices: by Hypothesis (which shrinks them), or by a seed, for pools that are made once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
#: Whether this is the long run of `nox -s full`.
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@cache
def _between(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


class Dice:
    """Whole numbers from somewhere, and what can be made of them."""

    def __init__(self, number: Callable[[int, int], int]) -> None:
        self.number = number

    @classmethod
    def of(cls, draw: Callable[[st.SearchStrategy[int]], int]) -> Dice:
        """Thrown by Hypothesis."""
        return cls(lambda low, high: draw(_between(low, high)))

    @classmethod
    def seeded(cls, seed: int) -> Dice:
        """The same throws each time."""
        return cls(random.Random(seed).randint)

    def pick(self, options: Sequence[T]) -> T:
        """One of a few; the first one is the simplest."""
        return options[self.number(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """Yes, so often in a hundred; no is the simpler answer."""
        return self.number(1, 100) > 100 - percent

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Different ones of them, in any order."""
        left, found = list(options), []
        for _ in range(min(self.number(least, most), len(left))):
            found.append(left.pop(self.number(0, len(left) - 1)))
        return found

    def maybe(self, percent: int, **parts: Callable[[], Any]) -> dict[str, Any]:
        """Each of the parts, so often in a hundred."""
        return {name: make() for name, make in parts.items() if self.chance(percent)}
