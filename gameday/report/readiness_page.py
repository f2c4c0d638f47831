"""The answer about readiness as one page that asks nothing of a network."""

from __future__ import annotations

from collections.abc import Mapping

from gameday.model.readiness import Readiness, ReadyWord
from gameday.report.html import filled
from gameday.report.readiness_text import (
    about_text,
    cited_text,
    condition_text,
    state_text,
    void_text,
)

#: The colour of the page; the word stands above it.
TONES: Mapping[ReadyWord, str] = {
    ReadyWord.GO: "pass",
    ReadyWord.CONDITIONS: "unknown",
    ReadyWord.NO_GO: "fail",
    ReadyWord.NOT_ENOUGH: "unknown",
}


def render(found: Readiness) -> str:
    """The whole file."""
    return filled(
        "readiness.html",
        found=found,
        tone=TONES[found.answer],
        conditions=[condition_text(one) for one in found.conditions],
        voids=[void_text(one) for one in found.void_waivers],
        state=state_text,
        cited=cited_text,
        about=about_text,
    )
