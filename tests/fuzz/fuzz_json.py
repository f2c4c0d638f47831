"""Approvals and journals: right ones, and ways to spoil them that JSON makes possible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fuzz_dice import Dice
from fuzz_text import noisy, spoiled
from fuzz_values import WORDS, json_value

from gameday.adapters.approval import approval_text
from gameday.journal import GENESIS, encode
from gameday.model.event import ACTION_KINDS, NOTE_KINDS, Event, Phase
from gameday.policy import Approval

_ROLES = ("owner", "sre-2", "0", "x" * 40)
_PEOPLE = ("ada@example.org", "b.c", "x_1%+@-", "A" * 200)
_LATEST_MS = 253_402_300_799_000
_PHASES = (Phase.OK, Phase.FAILED, Phase.UNKNOWN)
_DEEP = ("[" * 100_000, '{"a":' * 5_000, "[" * 900 + "]" * 900, '{"hash":' * 2_000)
_LINES = (
    b"", b" ", b"{}", b"[]", b"null", b"NaN", b"\x00\x00", b"\xff\xfe{\x00}\x00", b'{"hash":1}',
    b'"x', b"1" * 5000, b"1e999", b'{"v":2,"hash":""}', b'{"v":1e999,"hash":0}', b"\xef\xbb\xbf{}",
)  # fmt: skip


def approval(dice: Dice) -> Approval:
    """An approval as `approve` writes it."""
    start = dice.pick([0, 1_790_000_000_000, _LATEST_MS])
    return Approval(
        plan_sha256=hashlib.sha256(bytes([dice.number(0, 255)])).hexdigest(),
        scenario=dice.pick(WORDS),
        environment=dice.pick(("staging", "größe", "prod-eu.1")),
        role=dice.pick(_ROLES),
        approver=dice.pick(_PEOPLE),
        author=dice.pick((None, *_PEOPLE)),
        change_id=dice.pick((None, "CHG-1", "!" * 100)),
        not_before_wall_ms=start,
        expires_wall_ms=min(_LATEST_MS, start + dice.number(0, 10**12)),
    )


def approval_file(dice: Dice) -> bytes:
    """The file of one, as it is or spoiled."""
    right = approval_text(approval(dice))
    data = json.loads(right)
    match dice.number(0, 11):
        case 1:
            return _compact(spoiled(dice, data))
        case 3:
            return _compact(spoiled(dice, spoiled(dice, data)))
        case 5:  # the same data, written otherwise
            return json.dumps(data, indent=dice.pick([None, 0, 2]), sort_keys=False).encode()
        case 7:
            return dice.pick([*_LINES, *(deep.encode() for deep in _DEEP)])
        case 9:
            return noisy(dice, right)
        case _:
            return right


def _compact(data: Any) -> bytes:
    return _text(data, ascii_only=True).encode() + b"\n"


def _sortable(data: Any) -> bool:
    """Whether the keys can be sorted: there may be some that are no text any more."""
    return isinstance(data, dict) and all(isinstance(key, str) for key in data)


def events(dice: Dice, least: int = 0, most: int = 12) -> list[Event]:
    """Events of any kind in a row, each end of an action after its start."""
    made: list[Event] = []
    open_: list[Event] = []
    subjects = ("slow", "größe", "on", "a b")
    for seq in range(dice.number(least, most)):
        at_ms = seq * 100 - 250
        choice = dice.number(0, 2)
        if choice == 0:
            kind, data = dice.pick(_NOTES), _data(dice)
            if kind == "run.opened":
                data["origin_wall_ms"] = 1_773_500_400_000
            made.append(
                Event(seq=seq, at_ms=at_ms, kind=kind, subject=dice.pick(subjects), data=data)
            )
        elif choice == 1 or not open_:
            kind, data = dice.pick(_ACTIONS), {"undo": {"kind": "toxiproxy"}, **_data(dice)}
            begun = Event(
                seq=seq, at_ms=at_ms, kind=kind, subject=dice.pick(subjects), phase=Phase.STARTED,
                data=data,
            )  # fmt: skip
            made.append(begun)
            open_.append(begun)
        else:
            begun = open_.pop(dice.number(0, len(open_) - 1))
            data = dice.pick([{}, {"given_up": True}, {"error": "refused"}, _data(dice)])
            made.append(
                Event(
                    seq=seq, at_ms=at_ms, kind=begun.kind, subject=begun.subject,
                    phase=dice.pick(_PHASES), cause=begun.seq, data=data,
                )
            )  # fmt: skip
    return made


_ACTIONS = ("fault.inject", "fault.revert", "target.open", "target.close", *sorted(ACTION_KINDS))
_NOTES = ("run.opened", "run.closed", *sorted(NOTE_KINDS))


def _data(dice: Dice) -> dict[str, Any]:
    return {word: json_value(dice) for word in dice.some(WORDS, 0, 2)}


def lines_of(found: Sequence[Event]) -> list[bytes]:
    """The lines of a journal, without their ends."""
    made, prev = [], GENESIS
    for event in found:
        line, prev = encode(event, prev)
        made.append(line.removesuffix(b"\n"))
    return made


def rechained(rows: Sequence[Any]) -> list[bytes]:
    """Lines of rows of any content, with hashes that fit: what only a forger would write."""
    made, prev = [], GENESIS
    for row in rows:
        if not isinstance(row, dict):
            made.append(_dumped(row))
            continue
        body = {**{k: v for k, v in row.items() if k != "hash"}, "prev": prev}
        text = _text(body)
        prev = hashlib.sha256((prev + text).encode("utf-8", "surrogatepass")).hexdigest()
        made.append(_dumped({**body, "hash": prev}))
    return made


def _text(row: Any, *, ascii_only: bool = False) -> str:
    return json.dumps(row, sort_keys=_sortable(row), separators=(",", ":"), ensure_ascii=ascii_only)


def _dumped(row: Any) -> bytes:
    try:
        return _text(row).encode()
    except UnicodeEncodeError:
        return _text(row, ascii_only=True).encode()


def journal_file(dice: Dice, lines: Sequence[bytes], *, forged: bool = True) -> bytes:
    """A journal of these lines: as it is, cut, or with lines, fields or bytes changed."""
    made = list(lines)
    at = dice.number(0, len(made))
    level = dice.number(0, 9)
    if level <= 2:
        return b"".join(line + b"\n" for line in made)
    if level == 3:  # cut at any byte
        raw = b"".join(line + b"\n" for line in made)
        return raw[: dice.number(0, len(raw))]
    if level == 4:  # cut, and gone on with
        torn = made[at % len(made)][: dice.number(0, 80)] if made else b""
        made[at:at] = [torn]
    elif level == 5:
        made = _lines_changed(dice, made)
    elif level <= 7 and forged and made:
        rows = [json.loads(line) for line in made if line.endswith(b"}")]
        for _ in range(dice.number(1, 2)):
            which = dice.number(0, len(rows) - 1)
            rows[which] = spoiled(dice, rows[which])
        made = rechained(rows)
    else:
        return noisy(dice, b"".join(line + b"\n" for line in made))
    return b"".join(line + b"\n" for line in made)


def _lines_changed(dice: Dice, made: list[bytes]) -> list[bytes]:
    if not made:
        return [dice.pick(_LINES)]
    at, other = dice.number(0, len(made) - 1), dice.number(0, len(made) - 1)
    match dice.number(0, 5):
        case 0:
            del made[at]
        case 1:
            made.insert(at, made[other])
        case 2:
            made[at], made[other] = made[other], made[at]
        case 3:
            made.insert(at, dice.pick(_LINES))
        case 4:
            made.insert(dice.pick([at, len(made)]), dice.pick(_DEEP).encode())
        case _:
            if made[at].endswith(b"}"):  # not one that was torn
                made[at] = _dumped(spoiled(dice, json.loads(made[at])))
    return made
