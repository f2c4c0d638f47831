"""A runbook as text: what stands where in it, and what a look at it found.

Lines count from 1, in the file. `Document` is made by `gameday.adapters.runbook_document` and read
by the rules in `gameday.runbooks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

#: Phases of a step, each with the section that is meant by it.
PHASES: Mapping[str, str] = {
    "diagnose": "diagnosis",
    "mitigate": "mitigation",
    "verify": "verify",
    "rollback": "rollback",
    "escalate": "escalation",
}


class Level(StrEnum):
    """How much a finding weighs: an error misleads, a warning will cost time, a note informs.

    Of runbooks, and of alerts before a run.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a rule found. `message` says what is wrong, `hint` what to do."""

    rule: str
    level: Level
    file: str
    line: int
    message: str
    hint: str = ""
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """The YAML on top. `problem` says why it was not read; `lines` has the line of each key."""

    present: bool = False
    last_line: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    problem_line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading, its anchor, and the known section that it opens, if it does."""

    level: int
    text: str
    anchor: str
    line: int
    section: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionText:
    """A known section: `chars` counts what it says, placeholders left out."""

    name: str
    heading: str
    line: int
    chars: int
    placeholder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One runbook of a page: its title, where it begins and ends, and its sections."""

    title: str
    line: int
    last_line: int
    sections: tuple[SectionText, ...]

    def section(self, name: str) -> SectionText | None:
        """The section of that name, if it is there."""
        return next((s for s in self.sections if s.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where the text points to, as it was written."""

    target: str
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command of a shell script: its words without quotes, its program first."""

    words: tuple[str, ...]
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A place in a command that somebody has to fill in: `$NAME`, `<name>` or `{{ name }}`."""

    name: str
    shown: str
    line: int
    column: int = 1
    variable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a block of shell says. `text` is what bash is asked to parse."""

    text: str
    commands: tuple[Command, ...] = ()
    uses: tuple[Use, ...] = ()
    assigned: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced (or indented) block.

    `attributes` is None when there are none: such a block is shown to people and never run.
    `part` counts the runbooks of a page from 0. `before` is the paragraph above, `after` the text
    up to the next block, heading or list item; `shows_output` when what it prints is there.
    """

    line: int
    last_line: int
    body_line: int
    language: str
    body: str
    section: str | None
    part: int = 0
    attributes: Mapping[str, str] | None = None
    attribute_problem: str = ""
    script: Script | None = None
    before: str = ""
    after: str = ""
    shows_output: bool = False

    @property
    def phase(self) -> str | None:
        """The phase that its attributes name, else the one of its section."""
        named = (self.attributes or {}).get("phase")
        if named is not None:
            return named
        return next((phase for phase, name in PHASES.items() if name == self.section), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """A comment that silences rules: for `lines` (first and last), or for the whole file."""

    rules: tuple[str, ...]
    line: int
    lines: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A Markdown file of runbooks. `file` is for messages, `at` the absolute path."""

    file: str
    at: str
    text: str = ""
    front: FrontMatter = FrontMatter()
    headings: tuple[Heading, ...] = ()
    anchors: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    blocks: tuple[Block, ...] = ()
    links: tuple[Link, ...] = ()
    prose: tuple[tuple[int, str], ...] = ()
    ignores: tuple[Ignore, ...] = ()
    problem: str = ""

    @property
    def collection(self) -> bool:
        """Whether the page holds several runbooks."""
        return len(self.parts) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLink:
    """An alerting rule with its runbook, where it was read, and what the link leads to.

    `leads_to` is the absolute path of a file, `dead` says why the link leads nowhere, `unseen` why
    it was not followed.
    """

    name: str
    runbook: str
    file: str
    line: int = 1
    leads_to: str = ""
    dead: str = ""
    unseen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What was looked up for the rules, so that they need not look themselves.

    `there` maps each relative link (file it is in, target) to "" when it leads somewhere and to the
    reason when not; `remote` the same for URLs that were asked; `unseen` has the reason for those
    that were not. `programs` says which commands exist. `syntax` maps scripts to (line in the
    script, message). `alerts` is None when no rules were given.
    """

    today: date
    there: Mapping[tuple[str, str], str] = field(default_factory=dict)
    remote: Mapping[str, str] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, bool] = field(default_factory=dict)
    syntax: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    alerts: tuple[AlertLink, ...] | None = None
