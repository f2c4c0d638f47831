"""From YAML text to a tree of nodes with places; the only module that reads YAML.

Less than YAML on purpose: one document, no anchors, aliases, tags or duplicate keys, text keys
only, and scalars by the YAML 1.2 core rules (`on`, `yes`, `1:30` and dates stay text). It works on
the parser's events, so depth and size are bounded before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.node import Marks, Node, Place

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_STANDARD_TAG = "tag:yaml.org,2002:"  # what the parser makes of `!!`
_LONGEST_NUMBER = 300  # longer ones are text; Python refuses to convert very long ones
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """One file. `root` is None when it could not be read far enough to be worth looking at."""

    root: Node | None
    marks: Marks
    diagnostics: tuple[Diagnostic, ...] = ()


def load_file(path: Path, *, shown: str | None = None) -> Document:
    """Read one file; *shown* is how it is called in diagnostics. Never raises for what is in it."""
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return _refused(
            name, "file/unreadable", f"cannot read the file: {reason}", "check the path"
        )
    if len(raw) > MAX_BYTES:
        return _refused(
            name, "file/too-large", f"the file is larger than {MAX_BYTES // 1024} KiB", "split it"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        return _not_utf8(name, before, f"byte 0x{raw[error.start]:02x}")
    return load_text(text, name)


def load_text(text: str, file: str) -> Document:
    """Read the text of one file, called *file* in diagnostics. Never raises for what is in it."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        return _refused(
            file, "file/too-large", f"the file is larger than {MAX_BYTES // 1024} KiB", "split it"
        )
    if bad := _UNPRINTABLE.search(text):
        before, code = text[: bad.start()], ord(bad[0])
        if 0xD800 <= code <= 0xDFFF:
            return _not_utf8(file, before, f"a lone surrogate U+{code:04X}")
        return _refused(
            file,
            "file/not-printable",
            f"character U+{code:04X} cannot stand in YAML",
            "remove it, or write it as an escape in double quotes",
            before=before,
        )
    return _Builder(text, file).build()


def scalar(text: str) -> Any:
    """A plain (unquoted) scalar by the YAML 1.2 core rules: null, bool, int, float or text."""
    if len(text) > _LONGEST_NUMBER:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _refused(file: str, code: str, summary: str, hint: str, *, before: str = "") -> Document:
    lines = _BREAK.split(before)
    place = Place(line=len(lines), column=len(lines[-1]) + 1)
    marks = Marks(file=file, lines=lines, root=Node(value=None, place=place))
    found = marks.problem(code, (), summary, hint)
    return Document(root=None, marks=marks, diagnostics=(found,))


def _not_utf8(file: str, before: str, what: str) -> Document:
    return _refused(
        file, "file/not-utf8", f"{what} is not UTF-8", "save the file as UTF-8", before=before
    )


class _Stop(Exception):  # noqa: N818 - the rest of the document is not worth reading
    pass


@dataclass(slots=True, eq=False)
class _Frame:
    """A mapping or list under construction. In a mapping, `key` waits for its value."""

    place: Place
    mapping: bool
    value: Any
    keys: dict[str, Place] = field(default_factory=dict)
    key: str | None = None
    waiting: bool = False  # a key was read, the next node is its value


class _Builder:
    """Feeds on the parser's events. One use each."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.marks = Marks(file=file, lines=_BREAK.split(text))
        self.found: list[Diagnostic] = []
        self.stack: list[_Frame] = []
        self.root: Node | None = None
        self.documents = 0

    def build(self) -> Document:
        try:
            for event in self._events():
                self._take(event)
        except _Stop:
            self.root = None
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
            self.root = None
        else:
            if self.root is None:
                self._say(Place(), "file/empty", "the file is empty", "see `gameday init`")
        marks = Marks(file=self.marks.file, lines=self.marks.lines, root=self.root)
        return Document(root=self.root, marks=marks, diagnostics=tuple(self.found))

    def _events(self) -> Iterator[Any]:
        yield from yaml.parse(self.text, Loader=_LOADER)

    def _take(self, event: Any) -> None:
        match type(event).__name__:
            case "DocumentStartEvent":
                self.documents += 1
                if self.documents == 2:
                    self._say(
                        _place(event),
                        "yaml/several-documents",
                        "a second document begins here",
                        "write one document a file",
                    )
            case "AliasEvent":
                self._alias(event)
            case "ScalarEvent":
                self._tidy(event)
                text = event.value
                value = scalar(text) if event.implicit[0] else text
                self._add(Node(value=value, place=self._extent(event)), text)
            case "MappingStartEvent" | "SequenceStartEvent":
                self._open(event)
            case "MappingEndEvent" | "SequenceEndEvent":
                frame = self.stack.pop()
                self._add(Node(value=frame.value, place=frame.place, keys=frame.keys), None)

    def _open(self, event: Any) -> None:
        self._tidy(event)
        place = _place(event)
        if len(self.stack) >= MAX_DEPTH:
            self._say(place, "yaml/too-deep", f"more than {MAX_DEPTH} levels deep", "flatten it")
            raise _Stop
        mapping = type(event).__name__ == "MappingStartEvent"
        self.stack.append(_Frame(place=place, mapping=mapping, value={} if mapping else []))

    def _add(self, node: Node, text: str | None) -> None:
        """Put a finished node where it belongs; *text* is that of a scalar, for a key."""
        if not self.stack:
            if self.documents == 1:
                self.root = node
            return
        frame = self.stack[-1]
        if not frame.mapping:
            frame.value.append(node)
        elif not frame.waiting:
            frame.waiting, frame.key = True, self._key(frame, node, text)
        else:
            if frame.key is not None:
                frame.value[frame.key] = node
            frame.waiting = False

    def _key(self, frame: _Frame, node: Node, text: str | None) -> str | None:
        """The key, or None when its value has to be ignored."""
        if text is None or node.value is None:
            self._say(node.place, "yaml/key-not-text", "a key must be a word", "write `key: value`")
            return None
        if text in frame.keys:
            first = frame.keys[text]
            self._say(
                node.place,
                "yaml/duplicate-key",
                f"`{text}` stands here twice; the first is on line {first.line}",
                "remove one of them",
            )
            return None
        frame.keys[text] = node.place
        return text

    def _tidy(self, event: Any) -> None:
        """Refuse what these files do without: tags and anchors."""
        if event.tag is not None:
            self._say(
                _place(event),
                "yaml/tag",
                f"the tag `{event.tag.replace(_STANDARD_TAG, '!!')}` is not used here",
                "remove it; put text in quotes",
            )
        if event.anchor is not None:
            self._say(
                _place(event),
                "yaml/alias",
                f"the anchor `&{event.anchor}` is not used here",
                "remove it and write the value where it is needed",
            )

    def _alias(self, event: Any) -> None:
        self._say(
            self._extent(event),
            "yaml/alias",
            f"the alias `*{event.anchor}` is not used here",
            "write the value out",
        )
        raise _Stop

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        at = error.problem_mark or error.context_mark
        place = Place() if at is None else self._inside(at.line, at.column)
        rest = self.marks.line(place.line)[place.column - 1 :]
        if rest.startswith("\t") or "tab character" in (error.problem or ""):
            indent = self.marks.line(place.line)
            column = indent.find("\t") + 1 or place.column
            self._say(
                Place(line=place.line, column=column),
                "yaml/tab",
                "a tab where YAML wants spaces",
                "indent with spaces",
            )
            return
        text = error.problem or "it cannot be read"
        where = error.context_mark
        since = f" ({error.context}, which began on line {where.line + 1})" if where else ""
        self._say(
            place,
            "yaml/syntax",
            f"not YAML: {text}{since}",
            "check indentation, brackets and quotes; put text with `: `, `#`, `@` or `%` in quotes",
        )

    def _inside(self, line: int, column: int) -> Place:
        """The place for a mark of the parser, which may be on a line after the end of the text."""
        lines = self.marks.lines
        if line < len(lines):
            return Place(line=line + 1, column=min(column, len(lines[line])) + 1)
        return Place(line=len(lines), column=len(lines[-1]) + 1)

    def _extent(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        if end.line == start.line:
            return _place(event, end.column - start.column)
        line = self.marks.line(start.line + 1)
        return _place(event, len(line.rstrip()) - start.column)

    def _say(self, place: Place, code: str, summary: str, hint: str) -> None:
        marks = Marks(
            file=self.marks.file, lines=self.marks.lines, root=Node(value=None, place=place)
        )
        self.found.append(marks.problem(code, (), summary, hint))


def _place(event: Any, length: int = 1) -> Place:
    start = event.start_mark
    return Place(line=start.line + 1, column=start.column + 1, length=max(1, length))
