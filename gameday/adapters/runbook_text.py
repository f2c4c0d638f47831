"""What a runbook says: title, sections, anchors. Pure; Markdown by markdown-it, or plain HTML.

Runbooks that people already have are read without an edit: a section is known by any of its usual
names. To be of use while something is broken a runbook needs a diagnosis and a mitigation with
something in them; what else is absent is told, and no failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

#: Each section by the names that people give it.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "meaning": ("meaning", "summary", "overview", "description", "alert description"),
    "impact": ("impact",),
    "diagnosis": (
        "diagnosis", "diagnose", "diagnostics", "investigation", "investigate", "troubleshooting",
        "troubleshoot", "diagnosing", "investigating",
    ),
    "mitigation": (
        "mitigation", "mitigate", "remediation", "remediate", "resolution", "resolve", "fix",
        "mitigations", "mitigating", "how to fix", "recovery",
    ),
    "verify": ("verify", "verification", "validation", "validate"),
    "rollback": ("rollback", "roll back"),
    "escalation": ("escalation", "escalate", "contact", "contacts"),
}  # fmt: skip
#: Without these a runbook helps nobody.
NEEDED = ("diagnosis", "mitigation")
#: A section with fewer characters than this says nothing.
LEAST_CHARS = 40
MAX_FRONT_MATTER = 16 * 1024
#: What of the front matter is kept.
KEPT = ("title", "owner", "service", "alerts", "last_validated", "review_every", "gameday_runbook")

FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(
    r"\b(?:TODO|TBD|FIXME|XXX)\b|lorem ipsum|coming soon|to be (?:written|done|defined)|"
    r"^\W*(?:placeholder|n/?a|none)\W*$",
    re.IGNORECASE,
)
HTML_ID = re.compile(
    r"<[a-z][^<>]{0,500}?\b(?:id|name)\s{0,9}=\s{0,9}[\"']([^\"']{1,200})[\"']", re.IGNORECASE
)
_JOINED = re.compile(r"\band\b|[&/+,]", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(slots=True, kw_only=True)
class HeadingText:
    """A heading with what stands below it, up to the next heading of any level."""

    level: int
    text: str
    slug: str
    line: int
    body: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    fences: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A known section. `chars` counts what is written there, placeholders left out."""

    name: str
    heading: str
    line: int
    chars: int
    commands: int
    placeholder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """What was found in a runbook.

    `missing` are needed sections that are not there or say nothing (`problems` says which of the
    two), `absent` the others. `anchor_found` is None when no anchor was asked for.
    """

    title: str
    sections: tuple[Section, ...]
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    front_matter: Mapping[str, Any]
    anchor_found: bool | None


def read_markdown(text: str, anchor: str = "") -> Runbook:
    """The runbook in *text*; with an *anchor* into a collection, the part that it names."""
    front, body, line, notes = _front_matter(text)
    headings = markdown_headings(body, line)
    return _runbook(headings, anchor, front, notes)


def read_html(text: str, anchor: str = "") -> Runbook:
    """The runbook in a page, by its headings."""
    page = _Page()
    page.feed(text)
    page.close()
    return _runbook(page.headings, anchor, {}, [], title=page.title.strip())


def slug(text: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", text.strip().lower())
    return kept.replace(" ", "-")


def _runbook(
    headings: list[HeadingText],
    anchor: str,
    front: Mapping[str, Any],
    notes: list[str],
    title: str = "",
) -> Runbook:
    title = str(front.get("title") or "") or _title(headings) or title
    found = None
    if anchor:
        at = _anchored(headings, anchor)
        found = at is not None
        headings = _part(headings, at)
        if at is not None and headings and headings[0] is at:
            title = at.text
    sections = sections_of(headings)
    named = {section.name: section for section in sections}
    problems, missing = [], []
    for need in NEEDED:
        problem = _problem(need, named.get(need))
        if problem:
            missing.append(need)
            problems.append(problem)
    absent = [name for name in ALIASES if name not in named and name not in NEEDED]
    return Runbook(
        title=title,
        sections=sections,
        missing=tuple(missing),
        absent=tuple(absent),
        problems=tuple(problems),
        notes=tuple(notes),
        front_matter=front,
        anchor_found=found,
    )


def _problem(need: str, section: Section | None) -> str:
    if section is None:
        names = ", ".join(f"`{alias}`" for alias in ALIASES[need][:3])
        return f"no section `{need}` (any of {names}, …)"
    if section.chars >= LEAST_CHARS:
        return ""
    where = f"`{section.heading}` (line {section.line})"
    if section.placeholder:
        return f"{where} is a placeholder; write what to do there"
    return f"{where} says too little: {section.chars} characters, at least {LEAST_CHARS} are needed"


def sections_of(headings: list[HeadingText]) -> tuple[Section, ...]:
    """Known sections in order; headings of the same section are added up."""
    found: dict[str, Section] = {}
    titles = [h for h in headings if h.level == 1]
    alone = len(titles) == 1 and len(headings) > 1
    for i, heading in enumerate(headings):
        if alone and heading is titles[0]:
            continue
        parts = [heading, *below(headings, i)]
        for name in named_sections(heading.text):
            chars, placeholder = _weigh(line for part in parts for line in part.body)
            known = found.get(name)
            found[name] = Section(
                name=name,
                heading=known.heading if known else heading.text,
                line=known.line if known else heading.line,
                chars=chars + (known.chars if known else 0),
                commands=sum(p.fences for p in parts) + (known.commands if known else 0),
                placeholder=placeholder or bool(known and known.placeholder),
            )
    return tuple(found.values())


def section_of(heading: str) -> str | None:
    """`2. Diagnosis steps` is `diagnosis`."""
    words = " ".join(re.findall(r"[a-z]+", heading.lower()))
    for name, aliases in ALIASES.items():
        if any(words == alias or words.startswith(alias + " ") for alias in aliases):
            return name
    return None


def named_sections(heading: str) -> tuple[str, ...]:
    """All sections that a heading names: `Diagnosis and mitigation` is two."""
    first = section_of(heading)
    if first is None:
        return ()
    words = re.findall(r"[a-z]+", heading.lower())
    rest = [" ".join(words[i:]) for i in range(1, len(words))]
    others = (
        name
        for name, aliases in ALIASES.items()
        if name != first and any(text in aliases for text in rest)
    )
    return (first, *others) if _JOINED.search(heading) else (first,)


def below(headings: list[HeadingText], i: int) -> list[HeadingText]:
    """The headings that belong to the one at *i*."""
    found = []
    for heading in headings[i + 1 :]:
        if heading.level <= headings[i].level:
            break
        found.append(heading)
    return found


def _weigh(lines: Iterable[str]) -> tuple[int, bool]:
    """Characters that say something, and whether there was a placeholder."""
    chars, placeholder = 0, False
    for line in lines:
        closed = line.rfind("-->") + len("-->")  # what opens after the last one stays
        shown = _COMMENT.sub("", line[:closed]) + line[closed:] if closed > 2 else line
        text = " ".join(shown.split())
        if _PLACEHOLDER.search(text):
            placeholder = True
        else:
            chars += len(text)
    return chars, placeholder


def _title(headings: list[HeadingText]) -> str:
    return next((h.text for h in headings if h.level == 1), "")


def _anchored(headings: list[HeadingText], anchor: str) -> HeadingText | None:
    wanted = {anchor, anchor.lower()}
    return next((h for h in headings if h.slug in wanted or h.ids & wanted), None)


def _part(headings: list[HeadingText], at: HeadingText | None) -> list[HeadingText]:
    """The runbook that *at* begins, in a page of several; everything if it is a part of one."""
    if at is None or at.level == 1 or section_of(at.text) is not None:
        return headings
    i = headings.index(at)
    mine = below(headings, i)
    return [at, *mine] if any(section_of(h.text) for h in mine) else headings


def _front_matter(text: str) -> tuple[dict[str, Any], str, int, list[str]]:
    """The kept front matter, the rest, the line at which that begins, and notes."""
    match = FRONT.match(text)
    if match is None:
        return {}, text, 1, []
    body, line = text[match.end() :], 1 + text[: match.end()].count("\n")
    raw = match[1]
    if len(raw) > MAX_FRONT_MATTER:
        return {}, body, line, [f"the front matter is longer than {MAX_FRONT_MATTER} characters"]
    try:
        if any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(raw, Loader=yaml.SafeLoader)):
            return {}, body, line, ["the front matter uses YAML aliases; it was not read"]
        found = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, body, line, ["the front matter is not YAML; it was not read"]
    if not isinstance(found, dict):
        return {}, body, line, []
    return {key: _plain(found[key]) for key in KEPT if key in found}, body, line, []


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [str(item)[:200] for item in value[:50]]
    return value if isinstance(value, (int, float, bool)) else str(value)[:500]


def markdown_headings(text: str, first_line: int) -> list[HeadingText]:
    """All headings with what stands below each; a first one of level 0 holds what comes before."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    headings = [HeadingText(level=0, text="", slug="", line=first_line)]
    slugs: dict[str, int] = {}
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            inline = tokens[i + 1]
            title = inline_text(inline)
            headings.append(
                HeadingText(
                    level=int(token.tag[1]),
                    text=title,
                    slug=_unique(slug(title), slugs),
                    line=first_line + (token.map[0] if token.map else 0),
                    ids=set(HTML_ID.findall(inline.content)),
                )
            )
        elif token.type == "inline" and (i == 0 or tokens[i - 1].type != "heading_open"):
            headings[-1].body.extend(inline_text(token).split("\n"))
            headings[-1].ids |= set(HTML_ID.findall(token.content))
        elif token.type in ("fence", "code_block"):
            headings[-1].body.extend(token.content.split("\n"))
            headings[-1].fences += 1
        elif token.type == "html_block":
            headings[-1].ids |= set(HTML_ID.findall(token.content))
    return headings if headings[0].body or headings[0].ids else headings[1:]


def inline_text(token: Token) -> str:
    """The text of a paragraph or heading, without its marks."""
    parts = []
    for child in token.children or ():
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
    return "".join(parts).strip()


def _unique(name: str, seen: dict[str, int]) -> str:
    n = seen.get(name, 0)
    seen[name] = n + 1
    return f"{name}-{n}" if n else name


class _Page(HTMLParser):
    """The headings of an HTML page with the text below each."""

    _SILENT = frozenset({"script", "style", "nav", "header", "footer", "template", "noscript"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.headings: list[HeadingText] = [HeadingText(level=0, text="", slug="", line=1)]
        self.title = ""
        self._in = ""
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        ids = {value for key, value in attrs if key in ("id", "name") and value}
        if tag in self._SILENT:
            self._silent += 1
        elif re.fullmatch("h[1-6]", tag):
            self._in = tag
            line = self.getpos()[0]
            self.headings.append(HeadingText(level=int(tag[1]), text="", slug="", line=line))
        elif tag == "title":
            self._in = tag
        elif tag == "pre":
            self.headings[-1].fences += 1
        self.headings[-1].ids |= ids

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        if tag == self._in:
            self._in = ""
            self.headings[-1].text = self.headings[-1].text.strip(" \n#¶")
            self.headings[-1].slug = slug(self.headings[-1].text)

    def handle_data(self, data: str) -> None:
        if self._in == "title":
            self.title += data
        elif self._in:
            self.headings[-1].text += data
        elif not self._silent:
            self.headings[-1].body.append(data)
