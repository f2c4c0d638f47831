"""`summary.txt`: the end of a run in at most 1,200 characters, for chat and notifications.

What is least important is left out first, whole: never the verdict, what is still broken and how to
undo it, and the exit code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.model.report import Change, Report
from gameday.model.verdict import Outcome
from gameday.report import console

LIMIT = 1_200
#: Blocks of this weight are never left out whole.
KEPT = 0
_LINE_MAX = 100
#: A command is of no use when it is cut.
_COMMAND_MAX = 250
#: So many lines of what stands on top stay in any case: the verdict, and why.
_HEAD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines that are shown or left out together; the greater the weight, the sooner left out."""

    weight: int
    lines: Sequence[str]


def render(report: Report) -> str:
    """Plain text of at most `LIMIT` characters; all of it where that fits."""
    whole = console.render(report)
    return whole if len(whole) <= LIMIT else fit(list(_blocks(report)), "report.md")


def fit(blocks: Sequence[Block], rest_in: str) -> str:
    """The text of *blocks*, in order, in at most `LIMIT` characters; the rest is in *rest_in*."""
    kept = list(blocks)
    dropped = 0
    for weight in sorted({b.weight for b in blocks} - {KEPT}, reverse=True):
        for block in [b for b in reversed(blocks) if b.weight == weight]:
            if len(_text(kept, dropped, rest_in)) <= LIMIT:
                break
            kept = [b for b in kept if b is not block]
            dropped += sum(bool(line.strip()) for line in block.lines)
    text = _text(kept, dropped, rest_in)
    if len(text) <= LIMIT:
        return text
    last = _line(kept[-1].lines[-1])
    return text[: LIMIT - len(last) - 4] + f"\n…\n{last}\n"


def _text(blocks: Sequence[Block], dropped: int, rest_in: str) -> str:
    lines = [_line(line) for block in blocks for line in block.lines]
    if dropped:
        plural = "s are" if dropped != 1 else " is"
        lines.insert(len(lines) - 1, f"  … {dropped} more line{plural} in {rest_in}")
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    text = text.rstrip()
    most = _COMMAND_MAX if text.startswith(console.UNDO) else _LINE_MAX
    return text if len(text) <= most else text[: most - 1] + "…"


def _blocks(report: Report) -> Iterator[Block]:
    """The parts of the whole text by what they weigh; the first and the last always stay."""
    weights = {Outcome.FAIL: 2, Outcome.INCONCLUSIVE: 3, Outcome.PASS: 8, Outcome.SKIP: 8}
    top = list(console.head(report))
    undo = [top.pop()] if report.leftovers else []
    yield Block(weight=KEPT, lines=top[:_HEAD])
    yield Block(weight=1, lines=top[_HEAD:])
    yield Block(weight=KEPT, lines=[*undo, ""])
    for finding in report.expectations:
        lines = list(console.finding_lines(report, finding))
        yield Block(weight=weights[finding.outcome], lines=lines)
    yield Block(weight=4, lines=[*console.validity(report)])
    yield Block(weight=7, lines=[*console.alert_words(report)])
    yield Block(weight=6, lines=[*console.detection_table(report)])
    worse = report.comparison.change is Change.WORSE
    yield Block(weight=1 if worse else 9, lines=["", *console.compared(report)])
    yield Block(weight=10, lines=list(console.parts(report)))
    yield Block(weight=KEPT, lines=[console.exit_line(report)])
