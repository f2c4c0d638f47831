"""Quantities as people write them: the same value in many spellings, all of them right."""

from __future__ import annotations

from typing import Any

from fuzz_dice import Dice

WORDS = (
    "shop", "Team Kasse", "größe", "支払い", "on", "yes", "1:30", "0x1F", "nullish", "a: b", "# no",
    "it's", 'say "so"', "5 %", "~/x", "2026-01-02", "- dash", "{curly}", "50%", "café ☕", "x" * 80,
)  # fmt: skip
NAMES = ("shop-1", "a", "A.b_c-d", "0", "x" * 63, "on", "007", "1.5", "null", "true")


def seconds(dice: Dice, low: int, high: int) -> str:
    """Whole seconds, in one of their spellings."""
    n = dice.number(low, high)
    minutes, rest = divmod(n, 60)
    forms = [f"{n}s", f"{n * 1000}ms", f"{n}.0s", f" {n}s "]
    if minutes:
        forms.append(f"{minutes}m{rest}s" if rest else f"{minutes}m")
        forms.append(f"0h{minutes}m{rest}s")
    return dice.pick(forms)


def millis(dice: Dice, low: int, high: int) -> Any:
    """Whole milliseconds."""
    n = dice.number(low, high)
    forms: list[Any] = [f"{n}ms", f"{n / 1000:.3f}s", f"{n * 1000}us"]
    if n == 0:
        forms.append(0)
    return dice.pick(forms)


def share(dice: Dice, low: int = 0, high: int = 100) -> str:
    """A share in percent."""
    n = dice.number(low, high)
    tenth = f"{n - 1}.{dice.number(0, 9)}%" if n > max(low, 1) else f"{n}.0%"
    return dice.pick([f"{n}%", f"{n} %", tenth])


def size(dice: Dice, low: int, high: int) -> str:
    """Whole bytes between two bounds."""
    n = dice.number(low, high)
    forms = [f"{n}B"]
    for unit, factor in (("KB", 1000), ("KiB", 1024), ("MB", 10**6), ("MiB", 2**20)):
        whole = n // factor
        if whole * factor >= max(low, 1):
            forms.append(f"{whole}{unit}")
    return dice.pick(forms)


def bandwidth(dice: Dice) -> str:
    """Whole kilobytes a second."""
    n = dice.number(1, 5000)
    return dice.pick([f"{n}KB/s", f"{n * 1000}B/s", f"{n}MB/s"])


def words(dice: Dice) -> str:
    """One line of text for people."""
    return dice.pick(WORDS)


def json_value(dice: Dice, depth: int = 0) -> Any:
    """Anything that JSON can carry."""
    kind = dice.number(0, 7 if depth < 3 else 5)
    match kind:
        case 6:
            return [json_value(dice, depth + 1) for _ in range(dice.number(0, 3))]
        case 7:
            names = dice.some(WORDS, 0, 3)
            return {name: json_value(dice, depth + 1) for name in names}
        case _:
            simple = (1, "text", True, -2.5, "", 10**20)
            return simple[kind]
