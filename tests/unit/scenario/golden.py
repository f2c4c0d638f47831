"""The cases of `tests/golden/diagnostics`: one folder a code, with files and the expected text.

`args.json` beside the files may say: `paths` (default: the YAML files), `profile`, `environment`,
`bare` (without the shared project), `pad` (bytes of comments to add), `folder` (put the files
there). Run the tests with GAMEDAY_UPDATE=1 to write what is said now, and read the diff.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.scenario.api import CheckResult, check

ROOT = Path(__file__).parents[2] / "golden" / "diagnostics"
SHARED = ROOT / "_shared"
EXPECTED = "expected.txt"
WRITE = os.environ.get("GAMEDAY_UPDATE") == "1"


def cases() -> list[str]:
    """The codes that have a folder."""
    folders = (path for path in ROOT.glob("*/*") if path.is_dir() and path.parent != SHARED)
    return sorted(str(path.relative_to(ROOT)) for path in folders)


def expected(code: str) -> str:
    return (ROOT / code / EXPECTED).read_text(encoding="utf-8")


def run_case(code: str, work: Path) -> CheckResult:
    """Check a case in *work*, which has to be the current directory."""
    case = ROOT / code
    args: Mapping[str, Any] = {}
    if (case / "args.json").exists():
        args = json.loads((case / "args.json").read_text(encoding="utf-8"))
    if not args.get("bare"):
        shutil.copytree(SHARED, work, dirs_exist_ok=True)
    goal = work / args.get("folder", ".")
    skipped = shutil.ignore_patterns(EXPECTED, "args.json", "README")
    shutil.copytree(case, goal, dirs_exist_ok=True, ignore=skipped)
    if "pad" in args:
        with (work / "scenario.yaml").open("a", encoding="utf-8") as file:
            file.write("# padding\n" * (args["pad"] // 10))
    own = sorted(path.name for path in case.glob("*.yaml"))
    paths = [Path(name) for name in args.get("paths", own)]
    return check(paths, environment=args.get("environment"), profile=args.get("profile"))
