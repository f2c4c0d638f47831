"""What commands do, by their words: what they really run, what changes something, what may hang."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gameday.model.runbook import Block
from gameday.runbooks.hanging import hangs
from gameday.runbooks.mutating import mutates, mutates_sql

#: Programs that run another one, with those of their options that take a value.
_WRAPPERS: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "-D"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n", "-p"}),
    "nohup": frozenset(),
    "time": frozenset(),
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-a", "-s", "-E"}),
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "watch": frozenset({"-n", "--interval"}),
    "setsid": frozenset(),
    "nsenter": frozenset({"-t", "--target", "-S", "-G"}),
    "chroot": frozenset(),
    "flock": frozenset({"-w", "--timeout", "-E"}),
    "eval": frozenset(),
}
#: Those of them with a word of their own before the program: how long, or where.
_WITH_A_WORD = ("timeout", "chroot", "flock")
_SHELLS = ("sh", "bash", "ash", "dash")
_DEPTH = 4
#: What may stand before a command in a script, and what stands between two.
_BEFORE = frozenset(["if", "then", "else", "elif", "while", "until", "do", "!", "{"])
_BETWEEN = ";&|()"
#: Options of `ssh` and of `exec` of docker that take a value.
_SSH_VALUED = [f"-{letter}" for letter in "pilFoJLRDbcEmWBIOQSwe"]
_EXEC_VALUED = ["-u", "--user", "-w", "--workdir", "-e", "--env", "--env-file", "--index"]
#: The option of a shell, or of `su`, after which a script comes, and options with a value.
_SCRIPT = re.compile("-[a-zA-Z]*c[a-zA-Z]*|--command")
_SHELL_VALUED = ["-o", "-O"]
_SUBSTITUTED = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
#: A variable that is set before a command.
_SET = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a command does at a place: *what* is said to people."""

    what: str
    line: int
    column: int = 1


def programs(block: Block) -> Iterator[Act]:
    """Every program that a block runs on this machine, wrappers included."""
    functions = block.script.functions if block.script else frozenset()
    for command in block.script.commands if block.script else ():
        for words in _layers(command.words):
            if words and words[0] not in functions:
                yield Act(what=words[0], line=command.line, column=command.column)


def changes(block: Block) -> Iterator[Act]:
    """Every command of a block that changes something."""
    if block.language == "sql":
        for n, text in enumerate(block.body.split("\n")):
            what = mutates_sql(text)
            if what:
                yield Act(what=what, line=block.body_line + n)
        return
    for command in block.script.commands if block.script else ():
        what = next((w for words in _runs(command.words) if (w := mutates(words))), "")
        if what:
            yield Act(what=what, line=command.line, column=command.column)


def endless(block: Block) -> Iterator[Act]:
    """Every command of a block that may never end."""
    for command in block.script.commands if block.script else ():
        if any(words[:1] == ("timeout",) for words in _layers(command.words)):
            continue
        what = next((w for words in _runs(command.words) if (w := hangs(words, block.body))), "")
        if what:
            yield Act(what=what, line=command.line, column=command.column)


def _layers(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The command, and what it wraps: `sudo timeout 5 kubectl …` is three."""
    words = tuple(words)
    for _ in range(_DEPTH):
        yield words
        if _program(words) not in _WRAPPERS:
            return
        words = _unwrapped(words)
        if not words:
            return


def _unwrapped(words: tuple[str, ...]) -> tuple[str, ...]:
    program = _program(words)
    valued, i = _WRAPPERS[program], 1
    while i < len(words) and (words[i].startswith("-") or _is_setting(words, i)):
        if words[i] == "--":
            i += 1
            break
        i += 2 if words[i] in valued else 1
    if program in _WITH_A_WORD:
        i += 1
    return words[i:]


def _program(words: Sequence[str]) -> str:
    """The name of what is run, without where it lies."""
    return words[0].rpartition("/")[2] if words else ""


def _is_setting(words: tuple[str, ...], i: int) -> bool:
    return _program(words) in ("env", "sudo") and _SET.match(words[i]) is not None


def _runs(words: Sequence[str], depth: int = _DEPTH) -> Iterator[tuple[str, ...]]:
    """The command, what it wraps, and what it has run elsewhere: in a pod, a shell, a host."""
    for layer in _layers(words):
        yield layer
        for inner in _elsewhere(layer) if depth else ():
            yield from _runs(inner, depth - 1)


def _elsewhere(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """The commands that a command passes on to be run by another program."""
    program = _program(words)
    if program in (*_SHELLS, "su"):
        return _of_shell(words)
    if program == "eval":
        return _commands(" ".join(_positional(words[1:], ())))
    if program in ("kubectl", "oc") and "--" in words:
        return [words[words.index("--") + 1 :]]
    if program == "ssh":
        rest = _positional(words[1:], _SSH_VALUED)[1:]  # the other side reads them as one script
        return [*([rest] if len(rest) > 1 else []), *_commands(" ".join(rest))]
    if program in ("docker", "podman", "docker-compose"):  # also `compose exec`, `container exec`
        after = [words[i + 1 :] for i, w in enumerate(words) if w == "exec"]
        return [_positional(rest, _EXEC_VALUED)[1:] for rest in after]
    if program == "find":
        return [words[i + 1 :] for i, w in enumerate(words) if w in ("-exec", "-execdir")]
    return ()


def _of_shell(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The commands of the script in `sh -c '…'`."""
    for i, word in enumerate(words):
        if _SCRIPT.fullmatch(word):
            script = _positional(words[i + 1 :], _SHELL_VALUED)
            return _commands(script[0]) if script else []
    return []


def _positional(words: tuple[str, ...], valued: Sequence[str]) -> tuple[str, ...]:
    """The words from the first that is no option."""
    i = 0
    while i < len(words) and words[i].startswith("-"):
        i += 2 if words[i] in valued else 1
    return words[i:]


def _commands(script: str) -> list[tuple[str, ...]]:
    """The words of each command of a script that is itself one word of another."""
    lexer = shlex.shlex(script.replace("\n", " ; "), posix=True, punctuation_chars=_BETWEEN)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = re.findall(rf"[{_BETWEEN}]+|[^{_BETWEEN}\s]+", script)
    found: list[list[str]] = [[]]
    for word in words:
        if not word.strip(_BETWEEN):
            found.append([])
        elif found[-1] or not (word in _BEFORE or _SET.match(word)):
            found[-1].append(word)
    inner = [command for text in _substituted(script) for command in _commands(text)]
    return [*(tuple(command) for command in found if command), *inner]


def _substituted(script: str) -> Iterator[str]:
    """What stands in `$(…)` and between backticks, the innermost first, whatever quotes it has."""
    while (found := _SUBSTITUTED.search(script)) is not None:
        yield found[1] or found[2] or ""
        script = f"{script[: found.start()]}x{script[found.end() :]}"
