"""Did you mean …? The nearest of the names that exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that *word* was probably meant to be."""
    by_folded = {name.casefold(): name for name in sorted(known)}
    found = get_close_matches(word.casefold()[:80], by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Collection[str], *, what: str = "there is") -> str:
    """A hint: the nearest known name, else all of them."""
    if name := nearest(word, known):
        return f"did you mean `{name}`?"
    names = sorted(known)
    if not names:
        return f"{what} none yet"
    shown = ", ".join(f"`{name}`" for name in names[:12])
    return f"{what} {shown}" + (" …" if len(names) > 12 else "")
