"""The commands that would bring the evidence which is missing."""

from __future__ import annotations

import shlex

from gameday.model.readiness_evidence import ReadyEvidence


def run_command(evidence: ReadyEvidence, scenario: str, *more: str) -> str:
    """The run of a scenario on the version that is asked about; empty if its file is not known."""
    file = evidence.scenario_files.get(scenario, "")
    if not file:
        return ""
    parts = ["gameday", "run", file, "--service-version", evidence.version, *more]
    return shlex.join(parts)
