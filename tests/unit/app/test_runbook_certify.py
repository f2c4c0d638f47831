"""What certifying writes into a runbook, byte by byte."""

from __future__ import annotations

import pytest

from gameday.app.runbook_certify import certified
from gameday.errors import RefusedError
from gameday.runbooks.seal import content_sha256

DAY, RUN = "2026-03-14", "20260314-slow-1a2b"


def test_keys_that_are_there_stay_in_their_place_and_others_come_last() -> None:
    text = "---\ntitle: Slow\nlast_validated: 2020-01-01   # by hand\nowner: x\n---\n\n# Slow \n"

    made = certified(text, day=DAY, run=RUN)

    assert made == (
        f"---\ntitle: Slow\nlast_validated: {DAY}\nowner: x\nvalidated_run: {RUN}\n"
        f"validated_sha256: {content_sha256(text)}\n---\n\n# Slow \n"
    )
    assert certified(made, day=DAY, run=RUN) == made


def test_line_ends_and_the_mark_of_the_file_stay() -> None:
    text = "\ufeff---\r\ntitle: Slow\r\n---\r\n# Slow\r\n"

    made = certified(text, day=DAY, run=RUN)

    assert made.startswith("\ufeff---\r\ntitle: Slow\r\nlast_validated: 2026-03-14\r\n")
    assert made.endswith("---\r\n# Slow\r\n")
    assert "\n" not in made.replace("\r\n", "")


def test_a_text_without_front_matter_gets_one_that_says_what_it_holds() -> None:
    made = certified("# Slow\n\n---\n\nfoot\n", day=DAY, run=RUN)

    assert made.endswith("---\n\n# Slow\n\n---\n\nfoot\n")
    said = made.partition("validated_sha256: ")[2].partition("\n")[0]
    assert said == content_sha256(made)


def test_a_value_of_several_lines_is_not_cut() -> None:
    with pytest.raises(RefusedError, match="several lines"):
        certified("---\nlast_validated: >\n  2020\n---\n", day=DAY, run=RUN)
