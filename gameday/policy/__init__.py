"""Whether an environment's policy lets a plan be run, now, by these people. Pure.

Every rule is asked, and every refusal comes back, so that nobody has to try again and again. What
the rules need from outside (signed approvals, the error budget, who wrote the scenario) is in
`Asked`; `gameday.app.policy_gate` gathers it.
"""

from __future__ import annotations

from gameday.policy.rules import refusals
from gameday.policy.values import Approval, Asked, Refusal, in_force

__all__ = ["Approval", "Asked", "Refusal", "in_force", "refusals"]
