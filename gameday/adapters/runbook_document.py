"""A Markdown file of runbooks as a `Document`, for the lint. Never raises for what is in it."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from gameday.adapters.runbook_blocks import read_blocks
from gameday.adapters.runbook_front import read_front
from gameday.adapters.runbook_text import (
    HTML_ID,
    HeadingText,
    below,
    markdown_headings,
    named_sections,
    section_of,
    sections_of,
)
from gameday.model.runbook import Block, Document, Heading, Ignore, Link, Part, SectionText

MAX_BYTES = 1024 * 1024
#: Headings and blocks of code of a page.
MAX_PARTS = 2_000
#: A longer line holds no comment to us.
MAX_COMMENT = 1_000

_COUNTED = frozenset({"heading_open", "fence", "code_block"})
_NAMED = re.compile(r"\s*\{#([\w.:-]+)\}\s*$")
_COMMENT = re.compile(r"<!--.*?-->")
_HREF = re.compile(
    r"<a\s[^<>]{0,500}?\bhref\s{0,9}=\s{0,9}[\"']([^\"']{1,2000})[\"']", re.IGNORECASE
)
_IGNORE = re.compile(
    r"<!--\s*gameday-lint:\s*(ignore|ignore-file)\s+([\w/, -]+?)\s*(?::(?:(?!-->).)*)?-->"
)


def load_document(path: Path, shown: str) -> Document:
    """The runbooks in the file *path*, called *shown* in messages."""
    at = path.absolute().as_posix()
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        return Document(file=shown, at=at, problem=f"it cannot be read: {error.strerror}")
    if len(body) > MAX_BYTES:
        return Document(file=shown, at=at, problem=f"it is larger than {MAX_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Document(file=shown, at=at, problem="it is not UTF-8 text")
    return read_document(text, file=shown, at=at)


def read_document(text: str, *, file: str, at: str = "") -> Document:
    """The runbooks in *text*."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        return Document(file=file, at=at or file, problem="it is empty")
    front = read_front(text)
    lines = text.split("\n")
    body = "\n".join(lines[front.last_line :])
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    if sum(t.type in _COUNTED for t in tokens) > MAX_PARTS:
        return Document(
            file=file, at=at or file, problem=f"it has more than {MAX_PARTS} headings and blocks"
        )
    found = markdown_headings(body, front.last_line + 1)
    headings = tuple(_heading(one) for one in found if one.level)
    parts = _parts(found, len(lines))
    blocks = read_blocks(tokens, front.last_line, headings, parts)
    prose = _prose(lines, front.last_line, blocks)
    return Document(
        file=file,
        at=at or file,
        text=text,
        front=front,
        headings=headings,
        anchors=_anchors(found, text),
        parts=parts,
        blocks=blocks,
        links=tuple(_links(tokens, front.last_line, lines)),
        prose=_without_comments(prose),
        ignores=tuple(_ignores(prose, lines, blocks)),
    )


def _heading(found: HeadingText) -> Heading:
    return Heading(
        level=found.level,
        text=_NAMED.sub("", found.text),
        anchor=found.slug,
        line=found.line,
        # of two that are named together the last: what it has is not only to look at
        section=next(reversed(named_sections(found.text)), None),
    )


def _anchors(found: list[HeadingText], text: str) -> frozenset[str]:
    """All that a `#…` may name, in small letters."""
    names = {h.slug for h in found if h.slug} | set(HTML_ID.findall(text))
    names |= {m[1] for h in found if (m := _NAMED.search(h.text))}
    return frozenset(name.lower() for name in names)


def _parts(found: list[HeadingText], last_line: int) -> tuple[Part, ...]:
    """The runbooks of the page: several where headings of one level have sections of their own."""
    several = _titles(found)
    if len(several) < 2:
        title = next((h.text for h in found if h.level == 1), "")
        line = next((h.line for h in found if h.level == 1), 1)
        return (_part(title, line, last_line, found),)
    parts = []
    for i in several:
        mine = [found[i], *below(found, i)]
        after = found.index(mine[-1]) + 1
        end = found[after].line - 1 if after < len(found) else last_line
        parts.append(_part(found[i].text, found[i].line, end, mine))
    return tuple(parts)


def _titles(found: list[HeadingText]) -> list[int]:
    """Positions of the headings that each open a runbook."""
    owners: dict[int, int] = {}
    for i, heading in enumerate(found):
        if section_of(heading.text) is None:
            continue
        above = (j for j in range(i - 1, -1, -1) if 0 < found[j].level < heading.level)
        owner = next(above, None)
        if owner is not None and section_of(found[owner].text) is None:
            owners[owner] = owners.get(owner, 0) + 1
    full = [i for i, n in owners.items() if n > 1]
    return [i for i in full if found[i].level == min(found[j].level for j in full)]


def _part(title: str, line: int, last_line: int, headings: list[HeadingText]) -> Part:
    sections = tuple(
        SectionText(
            name=s.name, heading=s.heading, line=s.line, chars=s.chars, placeholder=s.placeholder
        )
        for s in sections_of(headings)
    )
    return Part(title=_NAMED.sub("", title), line=line, last_line=last_line, sections=sections)


def _links(tokens: list[Token], offset: int, lines: list[str]) -> list[Link]:
    found: list[Link] = []
    for token in tokens:
        first = offset + 1 + (token.map[0] if token.map else 0)
        if token.type == "html_block":
            for match in _HREF.finditer(token.content):
                line = first + token.content[: match.start()].count("\n")
                found.append(_link(match[1], line, lines))
        if token.type != "inline":
            continue
        line = first
        for child in token.children or ():
            if child.type in ("softbreak", "hardbreak"):
                line += 1
            href = child.attrs.get("href") or child.attrs.get("src")
            if child.type == "html_inline" and (inline := _HREF.search(child.content)):
                href = inline[1]
            if href:
                found.append(_link(str(href), line, lines))
    return found


def _link(target: str, line: int, lines: list[str]) -> Link:
    text = lines[line - 1] if line <= len(lines) else ""
    return Link(target=target, line=line, column=max(0, text.find(target)) + 1)


def _prose(lines: list[str], offset: int, blocks: tuple[Block, ...]) -> tuple[tuple[int, str], ...]:
    """What is neither front matter nor code, by line."""
    code = {n for block in blocks for n in range(block.line, block.last_line + 1)}
    return tuple((n, text) for n, text in enumerate(lines, start=1) if n > offset and n not in code)


def _without_comments(prose: tuple[tuple[int, str], ...]) -> tuple[tuple[int, str], ...]:
    """The same lines with what HTML comments hide taken out."""
    if not prose:
        return ()
    kept: list[str] = []
    rest = "\n".join(line for _, line in prose)
    while True:
        before, opened, after = rest.partition("<!--")
        hidden, closed, after = after.partition("-->")
        kept.append(before if closed or not opened else rest)
        if not closed:
            break
        kept.append("\n" * hidden.count("\n"))
        rest = after
    bare = "".join(kept).split("\n")
    return tuple((n, line) for (n, _), line in zip(prose, bare, strict=True))


def _ignores(
    prose: tuple[tuple[int, str], ...], lines: list[str], blocks: tuple[Block, ...]
) -> list[Ignore]:
    found = []
    for number, text in prose:
        if len(text) > MAX_COMMENT:
            continue
        for match in _IGNORE.finditer(text):
            rules = tuple(name for name in re.split(r"[,\s]+", match[2]) if name)
            alone = not _COMMENT.sub("", text).strip(" \t>-*+")
            scope = _scope(number, alone, lines, blocks) if match[1] == "ignore" else None
            found.append(Ignore(rules=rules, line=number, lines=scope))
    return found


def _scope(
    number: int, alone: bool, lines: list[str], blocks: tuple[Block, ...]
) -> tuple[int, int]:
    """A comment beside text is about its line; one on its own about what stands below it."""
    if not alone:
        return number, number
    first = number + 1
    while first <= len(lines):
        text = lines[first - 1]
        if text.strip() and not _IGNORE.search(text):
            break
        first += 1
    block = next((b for b in blocks if b.line == first), None)
    if block is not None:
        return number, block.last_line
    last = first
    while last < len(lines) and lines[last].strip():
        last += 1
    return number, last
