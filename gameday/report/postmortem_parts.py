"""What a postmortem is made of: sentences that rest on events, and questions for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One sentence, and the numbers of the events it rests on; `todo`: an action item."""

    text: str
    seqs: tuple[int, ...]
    todo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What people have to write."""

    text: str
    seqs: tuple[int, ...] = ()
