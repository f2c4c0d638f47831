"""Every code of the table occurs in a golden case, with its exact place and hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gameday.scenario.codes import CODES
from gameday.scenario.render import render
from tests.unit.scenario.golden import EXPECTED, ROOT, WRITE, cases, expected, run_case

_CODE = re.compile(r"(?:error|warning): .* \(([a-z0-9-]+/[a-z0-9-]+)\)$", re.MULTILINE)


@pytest.mark.parametrize("code", cases())
def test_case_says_exactly_this(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_case(code, tmp_path)
    text = render(result.diagnostics)
    if WRITE:
        (ROOT / code / EXPECTED).write_text(text, encoding="utf-8")
    assert text == expected(code)
    assert code in {found.code for found in result.diagnostics}
    for found in result.diagnostics:
        assert found.mark is not None
        assert found.hint, found
        assert found.severity is CODES[found.code].severity


def test_every_code_has_a_case_and_no_case_says_anything_else() -> None:
    said = {code for case in cases() for code in _CODE.findall(expected(case))}
    assert set(cases()) == set(CODES)
    assert said == set(CODES)


def test_a_case_shows_its_own_code_first_of_all() -> None:
    noisy = {case for case in cases() if set(_CODE.findall(expected(case))) != {case}}
    assert noisy <= MORE_THAN_ONE


#: Cases in which another rule has something to say as well, rightly.
MORE_THAN_ONE = {"document/unknown-key"}  # an unknown `on:` leaves the scenario without a stop
