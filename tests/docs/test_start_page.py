"""docs/start.md: its commands, and what they print."""

from __future__ import annotations

from pathlib import Path

from page_support import FENCE, assert_shown, printed_by

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")


def test_the_page_as_printed(tmp_path: Path) -> None:
    folder, printed, compared = tmp_path, "", 0
    for _, language, block in FENCE.findall(PAGE[PAGE.index("## Your own project") :]):
        if language == "console":
            printed = ""
            for command in block.splitlines():
                if command.startswith("cd "):
                    folder /= command.removeprefix("cd ")
                else:
                    printed += printed_by(command, folder)
        elif language == "text":
            assert_shown(block, printed)
            compared += 1
    assert compared == 4


def test_what_is_installed_and_started_is_what_the_readme_says_and_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [block.strip() for _, language, block in FENCE.findall(PAGE) if language == "sh"]

    assert commands[0] in readme
    assert commands[1] == ".venv/bin/gameday demo --naive"  # tests/e2e/test_demo.py runs it
    assert commands[2] == 'export PATH="$PWD/.venv/bin:$PATH"'
    assert len(commands) == 3
