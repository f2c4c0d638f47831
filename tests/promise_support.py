"""How fast a promised thing has to be, where the speed is a part of the promise."""

from __future__ import annotations

import os

#: Promised is 5 s from a death until all faults are off and that is read back; `nox -s full`, on a
#: machine of its own, asks for that. Beside other tests the order of things counts, and the end.
OFF_WITHIN_S = float(os.environ.get("GAMEDAY_OFF_WITHIN_S", "60"))
