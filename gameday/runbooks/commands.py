"""Rules about commands: they parse, exist, end, can be filled in, and look where they should."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gameday.model.runbook import Around, Block, Document, Finding, Use
from gameday.runbooks.rules import found
from gameday.runbooks.words import changes, endless, programs

#: Programs that are part of the shell.
BUILTINS = frozenset(
    [
        ".",
        ":",
        "[",
        "[[",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "caller",
        "case",
        "cd",
        "command",
        "compgen",
        "complete",
        "continue",
        "declare",
        "dirs",
        "disown",
        "do",
        "done",
        "echo",
        "elif",
        "else",
        "enable",
        "esac",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fc",
        "fg",
        "fi",
        "for",
        "function",
        "getopts",
        "hash",
        "help",
        "history",
        "if",
        "in",
        "jobs",
        "kill",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "select",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "test",
        "then",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "while",
    ]
)
#: Variables that a shell has anyway.
_SHELL_HAS = re.compile(
    r"(?:HOME|USER|LOGNAME|PATH|PWD|OLDPWD|SHELL|HOSTNAME|LANG|LC_\w+|TERM|TMPDIR|EDITOR|UID|EUID|"
    r"RANDOM|SECONDS|LINENO|IFS|PPID|KUBECONFIG|REPLY|OPTARG|OPTIND|PIPESTATUS|BASH\w*|FUNCNAME|"
    r"GAMEDAY_LABEL_\w+)"
)
_NAME_OF_PROGRAM = re.compile(r"[a-z][a-z0-9_.+-]*")
_PLAIN_NAME = re.compile(r"[\w.+-]+")


def command_rules(document: Document, around: Around) -> Iterator[Finding]:
    """For each block of the page."""
    told: set[str] = set()
    for block in document.blocks:
        yield from _syntax(document, block, around)
        yield from _unknown(document, block, around, told)
        yield from _unbound(document, block)
        yield from _hangs(document, block)
        yield from _mutation(document, block)


def wanted_programs(document: Document) -> frozenset[str]:
    """The names to look up before the rules are asked."""
    names = {act.what for block in document.blocks for act in programs(block)}
    return frozenset(n for n in names if _PLAIN_NAME.fullmatch(n) and n not in BUILTINS)


def _syntax(document: Document, block: Block, around: Around) -> Iterator[Finding]:
    wrong = around.syntax.get(block.script.text) if block.script else None
    if wrong is not None:
        line, said = wrong
        yield found(
            "command/syntax" if block.attributes is None else "step/syntax",
            document,
            min(block.body_line + line - 1, block.last_line),
            f"bash cannot parse this: {said}",
            "correct it, or name another language after the fence if it is no shell",
        )


def _unknown(document: Document, block: Block, around: Around, told: set[str]) -> Iterator[Finding]:
    """Each program once a file: where it comes first."""
    if block.script is not None and block.script.text in around.syntax:
        return
    for act in programs(block):
        if around.programs.get(act.what, True) or act.what in told:
            continue
        if block.attributes is None and not _NAME_OF_PROGRAM.fullmatch(act.what):
            continue  # what a command printed, in the same block
        told.add(act.what)
        yield found(
            "command/unknown",
            document,
            act.line,
            f"there is no program `{act.what}` on the PATH",
            "correct the name, or list it under `runbook_commands` in `gameday.yaml`",
            column=act.column,
        )


def _unbound(document: Document, block: Block) -> Iterator[Finding]:
    if block.script is None:
        return
    told: set[str] = set()
    for use in block.script.uses:
        if use.shown in told:
            continue
        told.add(use.shown)
        if block.attributes is not None:
            if not _bound_in_step(document, block, use):
                yield found(
                    "step/unbound",
                    document,
                    use.line,
                    f"`{use.shown}` has no value when the step is run",
                    f"list it under `params` in the front matter, or write `${{{_upper(use)}:-…}}`",
                    column=use.column,
                )
        elif not _bound_in_step(document, block, use) and not _explained(document, block, use):
            yield found(
                "command/unbound",
                document,
                use.line,
                f"nothing says what to write for `{use.shown}`",
                "say in the text where to find it, or list it under `params`",
                column=use.column,
            )


def _bound_in_step(document: Document, block: Block, use: Use) -> bool:
    params = document.front.values.get("params")
    named = {_same(str(name)) for name in params} if isinstance(params, dict) else set()
    if _same(use.name) in named:
        return True
    own = block.script is not None and use.name in block.script.assigned
    return use.variable and (own or _SHELL_HAS.fullmatch(use.name) is not None)


def _explained(document: Document, block: Block, use: Use) -> bool:
    """Whether an earlier block sets it, or the text speaks of it."""
    if use.variable and any(
        other.script is not None and other.line < block.line and use.name in other.script.assigned
        for other in document.blocks
    ):
        return True
    comments = [line for line in block.body.split("\n") if line.lstrip().startswith("#")]
    wanted = re.escape(use.shown) + "|`" + re.escape(use.name) + "`"
    if use.variable:
        wanted += rf"|\$\{{?{use.name}\b"
    if use.variable and use.name.isupper() and len(use.name) > 1:
        wanted += rf"|\b{use.name}\b"
    speaks = re.compile(wanted)
    return any(speaks.search(text) for text in (*(t for _, t in document.prose), *comments))


def _same(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name).strip("_").lower()


def _upper(use: Use) -> str:
    return _same(use.name).upper()


def _hangs(document: Document, block: Block) -> Iterator[Finding]:
    if (block.attributes or {}).get("timeout"):
        return
    for act in endless(block):
        yield found(
            "command/hangs",
            document,
            act.line,
            f"`{act.what}` may never end",
            "limit it (`timeout 10 …`, a count, a statement timeout)",
            column=act.column,
        )


def _mutation(document: Document, block: Block) -> Iterator[Finding]:
    if block.phase == "diagnose":
        for act in changes(block):
            yield found(
                "mutation/diagnosis",
                document,
                act.line,
                f"`{act.what}` changes something, and this is the diagnosis",
                "look only; what changes something belongs to the mitigation",
                column=act.column,
            )
    elif block.phase == "verify":
        for act in changes(block):
            if act.what.startswith(("curl ", "http ", "https ")):
                continue  # to buy something is often the only way to see that buying works
            yield found(
                "mutation/verify",
                document,
                act.line,
                f"`{act.what}` changes something, and this is the verification",
                "look only; what changes something belongs to the mitigation",
                column=act.column,
            )
