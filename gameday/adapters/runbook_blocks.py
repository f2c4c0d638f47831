"""The blocks of code of a runbook: their section, attributes, what stands around them."""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches

from markdown_it.token import Token

from gameday.adapters.runbook_shell import placeholders, read_script
from gameday.adapters.runbook_text import inline_text
from gameday.model.runbook import Block, Heading, Part, Script

SHELL = frozenset({"bash", "sh", "shell"})
SESSION = frozenset({"console", "shell-session", "shellsession", "terminal", "sh-session"})
#: What a step may say. A block that has one of these, other than `name` alone, is a step.
ATTRIBUTES = frozenset(
    {
        "name", "phase", "timeout", "expect_exit", "expect_stdout", "expect_json", "retry",
        "mutates", "manual", "approve",
    }
)  # fmt: skip
_OURS = ATTRIBUTES - {"name"}
#: A block without a language is read as shell when it begins with one of these.
_PROGRAMS = frozenset(
    [
        "kubectl",
        "oc",
        "docker",
        "podman",
        "helm",
        "curl",
        "psql",
        "mysql",
        "redis-cli",
        "systemctl",
        "journalctl",
        "ssh",
        "amtool",
        "promtool",
        "aws",
        "gcloud",
        "az",
        "etcdctl",
        "ping",
        "dig",
    ]
)
#: A longer block is data, not something that a person follows.
MAX_CHARS = 16_000
_OUTPUT = frozenset({"", "text", "txt", "output", "json", "yaml", "log", "none", "plaintext"})
_BRACES = re.compile(r"\{(.*)\}\s*$")
#: PromQL in a block that calls itself shell: `rate(x[5m])`, `up{job="x"}`, `sum by (y) (…`.
_QUERY = re.compile(
    r"\s*\(*\s*[a-zA-Z_:][\w:]*(?:\(\s*[^)\s]|\(\s*$|\{\w|\s+(?:by|without)\s*\()"
    r"|.*\b(?:group_left|group_right|ignoring)\s*\("
)
#: The head of a table that some command printed.
_TABLE = re.compile(
    r"\s*[A-Z][A-Z0-9()/%_-]*(?: [A-Z0-9()/%_-]+)*"
    r"(?:(?:\t|  )\s*[A-Z][A-Z0-9()/%_-]*(?: [A-Z0-9()/%_-]+)*)+\s*$"
)
_PROMPT = re.compile(r"\s*\$ ")


def read_blocks(
    tokens: list[Token], offset: int, headings: tuple[Heading, ...], parts: tuple[Part, ...]
) -> tuple[Block, ...]:
    """Every block of *tokens*; *offset* lines stand before what was parsed."""
    return tuple(
        _block(tokens, i, offset, headings, parts)
        for i, token in enumerate(tokens)
        if token.type in ("fence", "code_block")
    )


def _block(
    tokens: list[Token],
    i: int,
    offset: int,
    headings: tuple[Heading, ...],
    parts: tuple[Part, ...],
) -> Block:
    token = tokens[i]
    first, end = token.map or [0, 1]
    line, last = offset + first + 1, offset + end
    fenced = token.type == "fence"
    info = token.info.strip()
    language = re.split(r"[\s{,]", info, maxsplit=1)[0].lower() if fenced else ""
    attributes, problem = _attributes(info) if fenced else (None, "")
    body_line = line + 1 if fenced else line
    script, session = _script(token.content, language, body_line)
    after, output = _after(tokens, i)
    return Block(
        line=line,
        last_line=max(line, last),
        body_line=body_line,
        language=language,
        body=token.content,
        section=_section_at(headings, line),
        part=next((n for n, p in enumerate(parts) if p.line <= line <= p.last_line), 0),
        attributes=attributes,
        attribute_problem=problem,
        script=script,
        before=_before(tokens, i),
        after=after,
        shows_output=output or session,
    )


def _attributes(info: str) -> tuple[dict[str, str] | None, str]:
    """The attributes of a step, or None for a block that is only shown; and what is wrong."""
    match = _BRACES.search(info)
    if match is None:
        return None, ""
    try:
        words = shlex.split(match[1])
    except ValueError:
        ours = any(f"{name}=" in match[1] for name in _OURS)
        return ({}, "a quote is not closed") if ours else (None, "")
    given: dict[str, str] = {}
    problem = ""
    for word in words:
        key, equals, value = word.partition("=")
        if key in given and not problem:
            problem = f"`{key}` is there twice"
        given[key] = value if equals else "true"
    near = {key: get_close_matches(key, _OURS, n=1, cutoff=0.8) for key in given}
    if not any(key in _OURS or near[key] for key in given):
        return None, ""
    unknown = next((key for key in given if key not in ATTRIBUTES), None)
    if unknown is not None:
        meant = f"; did you mean `{near[unknown][0]}`?" if near[unknown] else ""
        problem = problem or f"there is no attribute `{unknown}`{meant}"
    return given, problem


def _script(body: str, language: str, body_line: int) -> tuple[Script | None, bool]:
    """The shell in a block, if it is any, and whether what it prints is shown in it."""
    if len(body) > MAX_CHARS:
        return None, False
    lines = body.split("\n")
    words = next((line.split() for line in lines if line.strip()), [])
    prompted = any(_PROMPT.match(line) for line in lines)
    if language in SESSION or (prompted and language in SHELL | {""}):
        typed, output = _typed(lines)
        return read_script("\n".join(typed), body_line), output
    if language in SHELL or (not language and words and words[0] in _PROGRAMS):
        if _QUERY.match(next((line for line in lines if line.strip()), "")):
            return None, False
        table = next((n for n, line in enumerate(lines) if _TABLE.match(line)), None)
        return read_script("\n".join(lines[:table]), body_line), table is not None
    if language == "sql":
        return Script(text="", uses=placeholders(body, body_line)), False
    return None, False


def _typed(lines: list[str]) -> tuple[list[str], bool]:
    """What was typed after a prompt, other lines left empty; and whether there are others."""
    typed: list[str] = []
    going, output = False, False
    for line in lines:
        prompt = _PROMPT.match(line)
        if prompt:
            text = " " * prompt.end() + line[prompt.end() :]
        elif going:
            text = re.sub(r"^(\s*)> ", r"\1  ", line)
        else:
            output = output or bool(line.strip())
            text = ""
        typed.append(text)
        going = text.rstrip().endswith("\\")
    return typed, output


def _before(tokens: list[Token], i: int) -> str:
    """The paragraph directly above, in the same list item or section."""
    for token in reversed(tokens[:i]):
        if token.type == "inline":
            return inline_text(token)
        if token.type in ("fence", "code_block", "list_item_open", "heading_close", "table_close"):
            return ""
    return ""


def _after(tokens: list[Token], i: int) -> tuple[str, bool]:
    """The text between a block and what comes next, and whether that is the block's output."""
    texts: list[str] = []
    for token in tokens[i + 1 :]:
        if token.type in ("fence", "code_block"):
            language = token.info.strip().lower()
            shell = _script(token.content, language, 1)[0] is not None
            return " ".join(texts), not texts and language in _OUTPUT and not shell
        leaves = token.type == "list_item_close" and token.level < tokens[i].level
        if token.type == "heading_open" or leaves:
            break
        if token.type == "inline":
            texts.append(inline_text(token))
    return " ".join(texts), False


def _section_at(headings: tuple[Heading, ...], line: int) -> str | None:
    """The known section in which a line lies: of the nearest heading above that opens one."""
    level = 7
    alone = sum(h.level == 1 for h in headings) == 1 and len(headings) > 1
    for heading in reversed([h for h in headings if h.line < line]):
        if heading.level >= level:
            continue
        if heading.section is not None and not (alone and heading.level == 1):
            return heading.section
        level = heading.level
    return None
