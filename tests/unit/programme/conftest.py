"""The sample runs of the checks are the sample runs of the register."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
