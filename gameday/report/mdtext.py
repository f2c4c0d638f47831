"""Writing Markdown safely: what comes from outside is text, never structure, HTML or a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gameday.report.text import printable

#: The most characters that GitHub takes as a comment.
LIMIT = 65_536
#: In a page that is too long, no line is longer than this.
LINE_MAX = 2_000
#: Fewer lines of a section are not worth their heading.
LINES_LEAST = 6
_TAG = re.compile(r"<(?=[a-zA-Z/!?])")
#: A name at which GitHub and GitLab would call somebody.
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
#: What would begin a heading, a quote, a list, a table, a fence, a rule or a definition of a link.
_BLOCK = re.compile(r"#{1,6}(?: |$)|[>|]|[-+*](?: |$)|`{3}|~{3}|\[[^\]]*\]:|(?:[-*_=] *)+$")
_NUMBER = re.compile(r"(\d{1,9})([.)])(?= |$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section of a page.

    The greater its `weight`, the sooner it is shortened where the page is too long; 0 is kept. A
    part that is `folded` is behind its title, and one that is `whole` is left out whole or not.
    """

    title: str = ""
    lines: Sequence[str] = field(default_factory=tuple)
    folded: bool = False
    weight: int = 0
    whole: bool = False
    left_out: int = 0

    @property
    def text(self) -> str:
        """Its Markdown, without a line feed at the end."""
        lines = list(self.lines)
        if self.left_out:
            lines += ["", f"… {self.left_out} more lines: see `report.html` or `result.json`."]
        if not self.title:
            return "\n".join(lines)
        if not self.folded:
            return "\n".join([f"## {self.title}", "", *lines])
        head = ["<details>", f"<summary>{self.title}</summary>", ""]
        return "\n".join([*head, *lines, "", "</details>"])


def one_line(text: str) -> str:
    """On one line; never HTML, a link, a picture or a mention of somebody else's."""
    text = _TAG.sub("&lt;", printable(" ".join(text.split())))
    return _MENTION.sub("@\u200b", text.replace("](", "]\\("))


def at_start(text: str) -> str:
    """The same where a line begins, so that it begins no structure either."""
    text = one_line(text)
    if _BLOCK.match(text):
        return f"\\{text}"
    return _NUMBER.sub(r"\1\\\2", text, count=1) if _NUMBER.match(text) else text


def sentence(text: str) -> str:
    """With a capital and a full stop, unless it starts with a name."""
    text = at_start(text)
    if text[:1].isalpha() and not text[1:2].isdigit():  # `p95` stays as it is
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """A table; a bar in a cell is a character."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in row) + " |"


def clock(ms: int) -> str:
    """Run time as `1:05.3`."""
    tenths = round(abs(ms) / 100)
    sign = "-" if ms < 0 and tenths else ""
    return f"{sign}{tenths // 600}:{tenths % 600 / 10:04.1f}"


def page(parts: Iterable[Part], limit: int = LIMIT) -> str:
    """All *parts* in order, in at most *limit* characters; what is left out is said."""
    kept = [part for part in parts if part.lines]
    if len(_joined(kept)) > limit:
        kept = [replace(part, lines=[_cut(text) for text in part.lines]) for part in kept]
    for place in sorted(range(len(kept)), key=lambda i: -kept[i].weight):
        over = len(_joined(kept)) - limit
        if over <= 0 or not kept[place].weight:
            break
        kept[place] = _shortened(kept[place], over)
    text = _joined(kept)
    if len(text) <= limit:
        return text
    note = "\n\n… the rest is left out: see `report.html` or `result.json`.\n"
    return text[: limit - len(note)].rpartition("\n")[0] + note


def _joined(parts: Iterable[Part]) -> str:
    return "\n\n".join(part.text for part in parts) + "\n"


def _cut(text: str) -> str:
    return text if len(text) <= LINE_MAX else f"{text[: LINE_MAX - 1]}…"


def _shortened(part: Part, over: int) -> Part:
    """*part* with so many lines fewer that it is *over* characters shorter, as far as it goes."""
    spare = over + 80  # the note that it is shortened
    kept = list(part.lines)
    while kept and spare > 0 and not part.whole:
        spare -= len(kept.pop()) + 1
    if part.whole or len(kept) < LINES_LEAST:
        kept = []
    return replace(part, lines=kept, left_out=len(part.lines) - len(kept))
