"""docs/concepts.md explains every word that a report may say about a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gameday.model.verdict import Outcome, RunStatus

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "concepts.md").read_text(encoding="utf-8")
#: One word, one meaning: these are explained where they stand in bold.
WORDS = """
    scenario, plan, run, hypothesis, steady state, blast radius, environment, project file, fault,
    toxic, inject, revert, reads back, undo record, stop condition, stopped, interrupted, dirty,
    sentinel, journal, evidence, outcome, verdict, status, valid, bite, edge, measured, censored,
    not measured, open model, closed model, arrival rate, users, goodput, start lag, SLI, SLO,
    error budget, burn rate, runbook, steps, diagnose, mitigate, verify, rollback, escalate,
    facilitator, operator, responders, scribe, safety officer
"""


@pytest.mark.parametrize("word", [" ".join(word.split()) for word in WORDS.split(",")])
def test_the_word_is_explained(word: str) -> None:
    bold = re.findall(r"\*\*([^*]+)\*\*", PAGE)
    assert word.lower() in {found.lower() for found in bold}


@pytest.mark.parametrize("word", [*Outcome, *RunStatus])
def test_every_outcome_and_status_has_its_row(word: str) -> None:
    assert re.search(rf"^\| {word} \| \w", PAGE, re.MULTILINE)


@pytest.mark.parametrize("phase", ["warm-up", "baseline", "fault", "recovery"])
def test_every_phase_has_its_row(phase: str) -> None:
    assert re.search(rf"^\| {phase} \| \w", PAGE, re.MULTILINE)


@pytest.mark.parametrize("page", ["index.md", "start.md", "tutorial-shop.md", "concepts.md"])
def test_it_is_nowhere_called_an_attack(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8").lower()
    assert re.findall(r"\battack\w*|kill switch|\bchaos\b(?! toolkit)", text) == []
