"""What a set ends with: docs/exit-codes.md, and what `--fail-on` changes of it."""

from __future__ import annotations

import itertools

import pytest

from gameday.model.runset import FailOn, RunSet, SetRow, Try, exit_with
from gameday.model.verdict import EXIT_PRECEDENCE, ExitCode

E = ExitCode


def row(*codes: ExitCode, name: str = "a") -> SetRow:
    return SetRow(
        scenario=name, file="a.yaml", tries=tuple(Try(exit_code=c, reason="r") for c in codes)
    )


@pytest.mark.parametrize(
    ("codes", "fail_on", "warned", "expected"),
    [
        ([E.PASS, E.INCONCLUSIVE], FailOn.INCONCLUSIVE, False, E.INCONCLUSIVE),
        ([E.PASS, E.INCONCLUSIVE], FailOn.FAIL, False, E.PASS),
        ([E.INCONCLUSIVE], FailOn.FAIL, False, E.INCONCLUSIVE),  # nothing was shown at all
        ([E.PASS, E.INCONCLUSIVE, E.USAGE], FailOn.FAIL, False, E.USAGE),
        ([E.PASS, E.FAIL, E.INCONCLUSIVE], FailOn.FAIL, False, E.FAIL),
        ([E.PASS], FailOn.INCONCLUSIVE, True, E.PASS),
        ([E.PASS], FailOn.WARNING, True, E.FAIL),
        ([E.PASS], FailOn.WARNING, False, E.PASS),
        ([E.INCONCLUSIVE], FailOn.WARNING, True, E.INCONCLUSIVE),
        ([], FailOn.FAIL, False, E.INCONCLUSIVE),
    ],
)
def test_levels(codes: list[E], fail_on: FailOn, warned: bool, expected: E) -> None:
    assert exit_with(codes, fail_on, warned=warned) is expected


def test_no_level_hides_what_is_worse_than_inconclusive() -> None:
    worse = EXIT_PRECEDENCE[: EXIT_PRECEDENCE.index(E.INCONCLUSIVE)]
    for level, codes in itertools.product(FailOn, itertools.combinations(E, 3)):
        found = exit_with(codes, level, warned=True)
        if set(codes) & set(worse):
            assert found is next(code for code in EXIT_PRECEDENCE if code in codes), codes


def test_a_pass_in_the_end_is_told_as_flaky() -> None:
    one = row(E.FAIL, E.PASS)

    assert one.flaky
    assert one.exit_code is E.PASS
    assert one.warnings == ("flaky: passed on try 2",)
    assert RunSet(id="s", rows=(one,), fail_on=FailOn.WARNING).exit_code is E.FAIL


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((E.FAIL, E.INCONCLUSIVE), E.FAIL),  # a failure that was seen stays one
        ((E.INCONCLUSIVE, E.INCONCLUSIVE), E.INCONCLUSIVE),
        ((E.FAIL, E.DIRTY), E.DIRTY),
    ],
)
def test_a_retry_that_does_not_pass_takes_nothing_back(codes: tuple[E, ...], expected: E) -> None:
    one = row(*codes)

    assert not one.flaky
    assert one.exit_code is expected
    assert one.shown is not None
    assert one.shown.exit_code is expected


def test_what_was_not_run_is_neither_passed_nor_counted() -> None:
    done = RunSet(id="s", rows=(row(E.DIRTY), SetRow(scenario="b", file="b.yaml")))

    assert done.exit_code is E.DIRTY
    assert done.rows[1].shown is None


def test_what_was_skipped_counts_as_nothing_and_alone_shows_nothing() -> None:
    skipped = SetRow(scenario="s", file="s.yaml", skipped="it needs Docker")

    for fail_on in FailOn:
        assert RunSet(id="x", rows=(skipped,), fail_on=fail_on).exit_code is E.INCONCLUSIVE
        assert RunSet(id="x", rows=(skipped, row(E.PASS)), fail_on=fail_on).exit_code is E.PASS
        assert RunSet(id="x", rows=(row(E.FAIL), skipped), fail_on=fail_on).exit_code is E.FAIL
