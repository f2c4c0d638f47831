"""The proof, before the baseline, that alerts get through at all: how, and the alert it uses."""

from __future__ import annotations

#: How it can be done, or that it is not.
PROOF_KINDS = ("off", "watchdog", "synthetic")
#: The alert that always fires, unless the environment names another one.
WATCHDOG = "Watchdog"
#: The alert that gameday sends itself; it is in no number.
PROOF_ALERT = "GamedayPipelineProof"
#: Names the run in the labels of that alert.
RUN_LABEL = "gameday_run"
#: A route that makes an alert wait for longer is not proven.
LONGEST_WAIT_MS = 90_000
#: What is allowed on top of the wait of the group.
MARGIN_MS = 5_000
#: How long an always firing alert is looked for.
WATCHDOG_WITHIN_MS = 15_000
#: How long the whole proof may take, questions and clearing up included.
PROOF_LIMIT_MS = LONGEST_WAIT_MS + MARGIN_MS + 45_000
