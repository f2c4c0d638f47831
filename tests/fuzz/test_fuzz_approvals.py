"""Whatever is in an approval file: an approval as it was written, or a reason in one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from fuzz_dice import Dice
from fuzz_json import approval, approval_file
from fuzz_runs import fuzz, parts

from gameday.adapters.approval import approval_text, parse_approval, read_approvals
from gameday.errors import RefusedError
from gameday.policy import Approval

_HASH = "a" * 64
#: What may stand between the hash and the end of the name of a file that somebody put there.
_NAMES = ("owner", "größe", "\x1b[31m", "a\nb", "\udcff", "x" * 234, "x" * 237, "`", " ", "\u202e")
Record = Callable[[str, object], None]


def one_line(text: str) -> None:
    assert text.strip(), text
    assert text.isprintable(), text
    assert len(text) <= 1000, text


def read(raw: bytes, name: str) -> Approval | None:
    """The approval in the file; a refusal has to name the file, in one line."""
    said = ""
    found = None
    try:
        found = parse_approval(raw, file=name)
    except RefusedError as error:
        said = str(error)
    if found is None:
        one_line(said)
        assert f"`{name}`" in said, said
        return None
    assert approval_text(found) == raw  # what was approved is all that the file says
    assert found.file == name
    return found


def looked_at(dice: Dice, raw: bytes, folder: Path) -> None:
    """No signature lies beside it, so it proves nothing, and `ssh-keygen` is not asked."""
    path = folder / f"{_HASH[:12]}-{dice.pick(_NAMES)}.json"
    path.write_bytes(raw)
    try:
        proven, problems = read_approvals(folder, _HASH, signers=folder / "allowed_signers")
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - names that are no text
    assert proven == ()
    assert len(problems) == 1
    one_line(problems[0])


@parts("approvals")
def test_any_approval_file(part: int, tmp_path: Path, record_property: Record) -> None:
    def one(dice: Dice) -> bool:
        raw = approval_file(dice)
        looked_at(dice, raw, tmp_path)
        return read(raw, "aaaaaaaaaaaa-owner.json") is not None

    fuzz("approvals", one, record_property)


def test_what_is_made_to_be_right_is_read() -> None:
    for seed in range(50):
        made = approval(Dice.seeded(seed))
        found = read(approval_text(made), "x.json")
        assert found is not None
        assert (found.approver, found.role) == (made.approver, made.role)
