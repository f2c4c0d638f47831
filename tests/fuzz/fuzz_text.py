"""Plain data as YAML text in many styles, and ways to spoil the data, the text and the bytes."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from fuzz_dice import Dice

_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, 0.1, -0.0, 1e308, math.inf, math.nan, "", " ", [], {},
    [[]], [{}], {"": ""}, "800", "800ms", "1y", "5%", "101%", "-3s", "1e3s", "99/s",
    "; ", "\u202e", "\u2066", "9" * 400 + "s", "\u200b", "0/s", "10KB", "errors < 1%",
    "p42 < 1s", "errors < 1", "a" * 5000, "`",
    "\x1b[31m", "\x00", "\ud800", "\U0001f6a8", "a\nb", "\t", "${X}", "../../etc", "/", "file:///x",
    "http://[", "http://h:99999", "127.0.0.1:0", "[::1]:1", "٣s", "１s", "²", "*", "&a", "!x",
    "{a: b", "a: b", "(", "a b`c`", "$", "true", "2026-13-40", "25:00", "Mars/Base", "0x10", "0o7",
    "steady within 5s", "x" * 64, ["x"] * 40, {"type": "latency"}, {"env": "A", "file": "b"},
)  # fmt: skip
_KEYS = (
    "gameday", "id", "target", "toxic", "typ", "type", "stages", "Expect", "latency", "", " ", "on",
    "größe", "a`b", "\x1b", "\u202e", "1", "null", "<<", "x" * 400, "a\nb", "down", "env",
)  # fmt: skip
_NOISE = (
    "\t", "\r", "\r\n", "\x0b", "\x85", "\u2028", "\ufeff", "\x07", "\x7f", ":", "- ", "[", "}",
    "'", '"', "? ", "|", ">", "#", "%", "@", "`", "&a ", "*a ", "!!int ", "---\n", "<<: ", "\\",
    "...\n", "\U0010ffff", "\ufffe", "٠", "{{", "0", "\n\n", "  ", "~", "e\u0301", "\u200d",
)  # fmt: skip


# --- writing


class _Plain(_BASE):  # type: ignore[misc]
    """Without aliases; text in quotes only where YAML wants them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Single(_Plain):
    """All text in single quotes."""


class _Double(_Plain):
    """All text in double quotes."""


_TEXT = "tag:yaml.org,2002:str"
_Single.add_representer(str, lambda d, s: d.represent_scalar(_TEXT, s, style="'"))
_Double.add_representer(str, lambda d, s: d.represent_scalar(_TEXT, s, style='"'))


def plainly(data: Any) -> str:
    """YAML text of *data* in the usual style; a part that is in it twice is written twice."""
    text: str = yaml.dump(data, Dumper=_Plain, allow_unicode=True)
    return text


def written(dice: Dice, data: Any) -> str:
    """YAML text of *data*, in one of many styles."""
    if dice.chance(25):
        return _json(dice, data)
    try:
        text: str = yaml.dump(
            data,
            Dumper=dice.pick([_Plain, _Plain, _Single, _Double]),
            sort_keys=dice.chance(20),
            default_flow_style=dice.pick([False, False, None, True]),
            indent=dice.pick([2, 4, 8]),
            width=dice.pick([10**6, 60]),
            allow_unicode=not dice.chance(20),
            explicit_start=dice.chance(10),
            line_break=dice.pick(["\n", "\n", "\r\n"]),
        )
    except (yaml.YAMLError, UnicodeEncodeError, ValueError):
        return _json(dice, data)  # JSON has an escape for everything
    return _commented(dice, text)


def _json(dice: Dice, data: Any) -> str:
    separators = dice.pick([(",", ": "), (", ", ": ")])
    indent = dice.pick([None, 1, 4])
    return json.dumps(data, indent=indent, separators=separators, ensure_ascii=True)


def _commented(dice: Dice, text: str) -> str:
    if not dice.chance(30):
        return text
    head = dice.pick(["# a scenario\n", "\n\n", "\ufeff", "# größe ☕\r\n"])
    return head + text + dice.pick(["", "# the end", "\n \n", "...\n"])


# --- spoiling data


def paths_in(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to everything in *data*."""
    rows = data.items() if isinstance(data, dict) else enumerate(data)
    for step, part in rows:
        yield (*at, step)
        if isinstance(part, (dict, list)):
            yield from paths_in(part, (*at, step))


def spoiled(dice: Dice, data: Any) -> Any:
    """A copy of *data* with one thing in it changed."""
    made = copy.deepcopy(data)
    paths = list(paths_in(made))
    if not paths:
        return dice.pick(ODD_VALUES)
    *around, last = paths[dice.number(0, len(paths) - 1)]
    part = made
    for step in around:
        part = part[step]
    dice.pick(_CHANGES)(dice, made, part, last)
    return made


def _replace(dice: Dice, _: Any, part: Any, last: Any) -> None:
    part[last] = copy.deepcopy(dice.pick(ODD_VALUES))


def _delete(_dice: Dice, _: Any, part: Any, last: Any) -> None:
    del part[last]


def _add(dice: Dice, _: Any, part: Any, last: Any) -> None:
    if isinstance(part, dict):
        part[dice.pick(_KEYS)] = copy.deepcopy(dice.pick([part[last], *ODD_VALUES[:12]]))
    else:
        part.insert(last, copy.deepcopy(dice.pick([part[last], *ODD_VALUES[:12]])))


def _rename(dice: Dice, _: Any, part: Any, last: Any) -> None:
    if isinstance(part, dict):
        value, word = part.pop(last), str(last)
        at = dice.number(0, len(word))
        part[dice.pick([word[:at] + word[at + 1 :], word[:at] + "e" + word[at:], word.upper()])] = (
            value
        )


def _swap(dice: Dice, whole: Any, part: Any, last: Any) -> None:
    paths = list(paths_in(whole))
    *around, other = paths[dice.number(0, len(paths) - 1)]
    there = whole
    for step in around:
        there = there[step]
    part[last], there[other] = copy.deepcopy(there[other]), copy.deepcopy(part[last])


def _nest(dice: Dice, _: Any, part: Any, last: Any) -> None:
    value = part[last]
    for _depth in range(dice.pick([1, 2, 5, 45])):
        value = [value] if dice.chance(50) else {"a": value}
    part[last] = value


def _number(dice: Dice, _: Any, part: Any, last: Any) -> None:
    value = part[last]
    if isinstance(value, str):
        cut = dice.number(0, len(value))
        part[last] = value[:cut] + dice.pick(_NOISE) + value[cut + dice.number(0, 2) :]
    elif isinstance(value, (int, float)):
        part[last] = dice.pick([-value, value * 10**9, str(value), value + 0.5, bool(value)])
    else:
        part[last] = str(value)


_CHANGES: tuple[Callable[[Dice, Any, Any, Any], None], ...] = (
    _replace, _replace, _delete, _add, _rename, _swap, _nest, _number, _number,
)  # fmt: skip


# --- spoiling text and bytes


def damaged(dice: Dice, text: str) -> str:
    """*text* with one thing in it changed."""
    at = dice.number(0, len(text))
    end = min(len(text), at + dice.pick([0, 1, 1, 5, 40]))
    lines = text.split("\n")
    line = dice.number(0, len(lines) - 1)
    match dice.number(0, 8):
        case 0 | 1 | 2:
            return text[:at] + dice.pick(_NOISE) + text[end:]
        case 3:
            return text[:at]
        case 4:
            return text[:at] + text[end:]
        case 5:  # a line twice, mostly a duplicate key
            return "\n".join([*lines[: line + 1], *lines[line:]])
        case 6:
            return "\n".join([*lines[:line], *lines[line + 1 :]])
        case 7:
            lines[line] = dice.pick([" ", "\t", "- ", "   "]) + lines[line]
            return "\n".join(lines)
        case _:
            depth = dice.pick([10, 50, 2000])
            return text[:at] + dice.pick(["[", "{a: ", "- "]) * depth + text[at:]


def noisy(dice: Dice, raw: bytes) -> bytes:
    """*raw* with some bytes changed."""
    made = bytearray(raw)
    for _ in range(dice.number(1, 3)):
        at = dice.number(0, len(made))
        match dice.number(0, 3):
            case 0 if at < len(made):
                made[at] ^= 1 << dice.number(0, 7)
            case 1:
                made[at:at] = dice.pick(
                    [b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\n", b"{"]
                )
            case 2:
                del made[at : at + dice.number(1, 9)]
            case _:
                made[at:] = b""
    return bytes(made)


def document(dice: Dice, data: Any) -> bytes:
    """A file of *data*: four times in ten as it is, otherwise with up to three changes."""
    if dice.number(0, 9) in (0, 3, 5, 8):
        return written(dice, data).encode()
    for _ in range(dice.number(0, 2)):
        data = spoiled(dice, data)
    text = written(dice, data)
    last = dice.number(0, 5)
    if last <= 1:
        text = damaged(dice, text)
    raw = text.encode("utf-8", "surrogatepass")
    return noisy(dice, raw) if last == 2 else raw
