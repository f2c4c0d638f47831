"""What a block of shell says, without running any of it.

The structure comes from tree-sitter's grammar of bash. Whether it parses at all is bash's own word:
`bash -n` reads a script and executes nothing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from gameday.model.runbook import Command, Script, Use

PARSE_S = 10.0
#: What stands for something to fill in: `<pod name>`, `{{ pod }}`, `{{ $labels.instance }}`.
_ANGLE = re.compile(r"(?<!<)<([A-Za-z][\w.-]*(?: [A-Za-z][\w.'-]*){0,9})>")
_BRACES = re.compile(r"\{\{\s*(\$?[A-Za-z_][\w.-]*)\s*\}\}")
#: Tags of HTML and words of Go templates that look the same.
_NO_NAMES = frozenset(
    [
        "a",
        "b",
        "p",
        "br",
        "div",
        "span",
        "h1",
        "h2",
        "h3",
        "head",
        "body",
        "html",
        "title",
        "table",
        "tr",
        "td",
        "li",
        "ul",
        "ol",
        "pre",
        "code",
        "end",
        "else",
    ]
)
_EXPANSION = re.compile(r"\$\{[!#]?(\w+)(:?[-=?+])?")
_QUOTES = {"string", "raw_string", "ansi_c_string"}
_BASH_SAYS = re.compile(r"line (\d+): (.*)")
_MAX_DEPTH = 200

_LANGUAGE = Language(tree_sitter_bash.language())


def read_script(text: str, first_line: int) -> Script:
    """The commands of *text*, whose first line is *first_line* of the file. Never raises."""
    neutral, uses = _filled_in(text, first_line)
    source = neutral.encode("utf-8", "replace")
    found = _Found(source, first_line)
    found.walk(Parser(_LANGUAGE).parse(source).root_node)
    return Script(
        text=neutral,
        commands=tuple(found.commands),
        uses=tuple(sorted((*uses, *found.uses), key=lambda u: (u.line, u.column))),
        assigned=frozenset(found.assigned),
        functions=frozenset(found.functions),
    )


def placeholders(text: str, first_line: int) -> tuple[Use, ...]:
    """What has to be filled in in a block of another language."""
    return tuple(_filled_in(text, first_line)[1])


def syntax_errors(scripts: Iterable[str]) -> Mapping[str, tuple[int, str]] | None:
    """For each script that bash cannot parse, the line in it and what bash says.

    None without a bash on PATH. Nothing is executed.
    """
    bash = shutil.which("bash")
    if bash is None:
        return None
    distinct = list(dict.fromkeys(scripts))
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = pool.map(lambda script: _syntax_error(bash, script), distinct)
    return {script: found for script, found in zip(distinct, answers, strict=True) if found}


def _syntax_error(bash: str, script: str) -> tuple[int, str] | None:
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed command; the script is only parsed
            [bash, "--norc", "--noprofile", "-n"],
            input=script.encode("utf-8", "replace").replace(b"\0", b"?") + b"\n",
            capture_output=True,
            timeout=PARSE_S,
            check=False,
            env={"LC_ALL": "C.UTF-8"},  # no BASH_ENV: that file would be executed
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if ended.returncode == 0:
        return None
    said = ended.stderr.decode("utf-8", "replace").splitlines()
    # the first line that is no warning and no echo of the script
    found = next((m for m in map(_BASH_SAYS.search, said) if m and "warning" not in m[2]), None)
    lines = script.count("\n") + 1
    if found is None:
        return 1, "syntax error"
    return min(int(found[1]), lines), found[2].split(": `", 1)[0]


def _filled_in(text: str, first_line: int) -> tuple[str, list[Use]]:
    """*text* with a harmless word in each place to fill in (none moves), and those places."""
    uses: list[Use] = []

    def neutral(match: re.Match[str]) -> str:
        name = match[1].removeprefix("$")
        if name.lower() in _NO_NAMES:
            return match[0]
        before = text[: match.start()]
        uses.append(
            Use(
                name=name,
                shown=match[0],
                line=first_line + before.count("\n"),
                column=match.start() - (before.rfind("\n") + 1) + 1,
            )
        )
        return "x" * len(match[0])

    return _BRACES.sub(neutral, _ANGLE.sub(neutral, text)), uses


class _Found:
    """What a walk over the tree finds."""

    def __init__(self, source: bytes, first_line: int) -> None:
        self._source, self._first = source, first_line
        self._lines = source.split(b"\n")
        self.commands: list[Command] = []
        self.uses: list[Use] = []
        self.assigned: set[str] = set()
        self.functions: set[str] = set()

    def walk(self, root: Node) -> None:
        stack = [root]
        while stack:
            node = stack.pop()
            self._look(node)
            stack.extend(reversed(node.children))
        self.commands.sort(key=lambda c: (c.line, c.column))

    def _look(self, node: Node) -> None:
        kind = node.type
        if kind == "command":
            self._command(node)
        elif kind in ("simple_expansion", "expansion"):
            self._use(node)
        elif kind in ("variable_assignment", "for_statement", "select_statement"):
            name = next((c for c in node.children if c.type == "variable_name"), None)
            if name is not None:
                self.assigned.add(self._text(name))
        elif kind in ("declaration_command", "unset_command"):
            self.assigned |= {
                self._text(c) for c in node.children if c.type in ("variable_name", "word")
            }
        elif kind == "function_definition" and node.child_by_field_name("name"):
            name = node.child_by_field_name("name")
            self.functions.add(self._text(name) if name else "")

    def _command(self, node: Node) -> None:
        words = [
            self._word(child)
            for child in node.children
            if child.is_named and child.type not in ("variable_assignment", "comment")
            and not child.type.endswith("redirect")
        ]  # fmt: skip
        if not words:
            return
        line, column = self._place(node)
        self.commands.append(Command(words=tuple(words), line=line, column=column))
        if words[0] in ("read", "mapfile", "readarray", "getopts"):
            self.assigned |= {w for w in words[1:] if re.fullmatch(r"[A-Za-z_]\w*", w)}
        if words[0] == "printf" and "-v" in words[1:-1]:
            self.assigned.add(words[words.index("-v") + 1])

    def _use(self, node: Node) -> None:
        text = self._text(node)
        name = next((self._text(c) for c in node.children if c.type == "variable_name"), "")
        inside = _EXPANSION.match(text)
        if inside:
            name = inside[1]
            if inside[2]:  # it has a default, or says by itself that it is missing
                return
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            return
        line, column = self._place(node)
        self.uses.append(Use(name=name, shown=text, line=line, column=column, variable=True))

    def _place(self, node: Node) -> tuple[int, int]:
        row, column = node.start_point
        before = self._lines[row][:column]
        return self._first + row, len(before.decode("utf-8", "replace")) + 1

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _word(self, node: Node) -> str:
        """A word as the program would get it, as far as it can be known: quotes are taken off."""
        if node.type == "command_name" and node.named_child_count == 1:
            inner = node.named_children[0]
            return self._word(inner)
        text = self._text(node)
        if node.type in _QUOTES:
            text = text.removeprefix("$")[1:-1]  # the quotes in it stay: it may be a script
            return re.sub(r'\\(["\\$`])', r"\1", text) if node.type == "string" else text
        if node.type == "concatenation":
            return "".join(self._word(child) for child in node.children)
        return text.replace("\\\n", "")
