"""Who wrote a file, as git knows it. Every call is bounded in time and goes without a shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WITHIN_S = 10.0
#: Variables that would point git somewhere else than at the file's own repository.
_POINTERS = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
)
#: Nothing that a repository's own configuration could start.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")


def author_of(file: Path) -> str | None:
    """The author's address of the last commit that changed *file*.

    None where git does not know: no repository, not committed, changed since, or a shallow clone
    (there the last commit looks as if it had written everything).
    """
    folder, name = file.absolute().parent, file.name
    if _git(folder, "rev-parse", "--is-shallow-repository") != "false":
        return None
    if _git(folder, "ls-files", "--error-unmatch", "--", f":(literal){name}") is None:
        return None
    if _git(folder, "status", "--porcelain", "--", f":(literal){name}") != "":
        return None
    return _git(folder, "log", "-1", "--format=%ae", "--", f":(literal){name}") or None


def configured_email(folder: Path) -> str | None:
    """`user.email` as git would use it in *folder*; None without one."""
    return _git(folder, "config", "user.email") or None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None if it fails, is missing, or takes too long."""
    env = {k: v for k, v in os.environ.items() if k not in _POINTERS}
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed program and arguments, no shell
            ["git", *_QUIET, *arguments],  # noqa: S607 - whichever git is on PATH
            cwd=folder,
            env={**env, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode("utf-8", errors="replace").strip() if ended.returncode == 0 else None
