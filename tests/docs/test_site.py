"""The docs as a site: every page is in its navigation, every link and anchor leads somewhere.

Where mkdocs is installed (extra `docs`) the site is built, strictly, and asks
nothing of the network.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import types
import unicodedata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
CODE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1`*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<path>[^)#\s]*)#(?P<anchor>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link(?=[^>]*rel="?(?:stylesheet|preconnect|icon)))[^>]*?"""
    r"""(?:src|href)="?(?P<from>(?:https?:)?//[^"\s>]+)"""
)
MKDOCS = importlib.util.find_spec("mkdocs") and importlib.util.find_spec("material")


@pytest.fixture(scope="module")
def hooks() -> types.ModuleType:
    """The hooks of the site, without mkdocs, which they need for types and one class alone."""
    stub = types.ModuleType("mkdocs.structure.files")
    stub.File = stub.Files = object  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "_site" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patches:
        for name in ("mkdocs", "mkdocs.structure"):
            patches.setitem(sys.modules, name, types.ModuleType(name))
        patches.setitem(sys.modules, "mkdocs.structure.files", stub)
        spec.loader.exec_module(made)
    return made


def leaves(nav: list[object]) -> list[str]:
    found: list[str] = []
    for item in nav:
        value = next(iter(item.values())) if isinstance(item, dict) else item
        found += leaves(value) if isinstance(value, list) else [str(value)]
    return found


def test_every_page_is_in_the_navigation_once(hooks: types.ModuleType) -> None:
    shown = leaves(hooks.expanded(NAV, PAGES))

    assert [page for page in PAGES if page not in shown] == [], "add them to nav in mkdocs.yml"
    assert sorted(shown) == PAGES, "nav in mkdocs.yml has a page twice, or one that is not there"


def test_a_pattern_stands_for_the_pages_that_are_named_nowhere_else(
    hooks: types.ModuleType,
) -> None:
    nav = ["a.md", {"F": ["f/*.md", "f/x.md"]}, {"G": [{"H": ["g*.md"]}]}]
    paths = ["a.md", "f/c.md", "f/b.md", "f/x.md", "f/deep/no.md", "g.md", "new.md"]

    assert hooks.expanded(nav, paths) == [
        "a.md",
        {"F": ["f/b.md", "f/c.md", "f/x.md"]},
        {"G": [{"H": ["g.md"]}]},
    ]


def test_links_are_fitted_for_the_site(hooks: types.ModuleType) -> None:
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="faults/x.md"))
    config = {"docs_dir": str(DOCS)}

    def fitted(text: str) -> str:
        return str(hooks.on_page_markdown(text, page=page, config=config))

    assert fitted("[all](../checks/)") == "[all](../checks/index.md)"
    assert fitted("[all](../scenarios/)") == "[all](../scenarios/README.md)"
    assert fitted("[code](../../examples/a.py)") == "code (`examples/a.py`)"
    assert fitted("[`examples/a.py`](../../examples/a.py)") == "`examples/a.py`"
    assert fitted("[y](y.md) [z](../z.md#a) [w](https://w.org)") == (
        "[y](y.md) [z](../z.md#a) [w](https://w.org)"
    )


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as mkdocs and repository browsers make them."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    found = set()
    for heading in HEADING.findall(text):
        bare = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        plain = unicodedata.normalize("NFKD", bare).encode("ascii", "ignore").decode()
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower()))
    return found


def test_every_anchor_is_a_heading() -> None:
    wrong, seen = [], 0
    for page in [*(DOCS / name for name in PAGES), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for link in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8"))):
            if "://" in link["path"] or not link["path"].endswith((".md", "")):
                continue
            target = page.parent / link["path"] if link["path"] else page
            seen += 1
            if not target.is_file() or link["anchor"] not in anchors(target):
                wrong.append(f"{page.relative_to(ROOT)}: {link['path']}#{link['anchor']}")
    assert wrong == []
    assert seen > 100


@pytest.mark.skipif(not MKDOCS, reason="mkdocs-material is not installed (extra `docs`)")
def test_the_site_builds_strictly_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr

    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        assert [found["from"] for found in LOADED.finditer(page.read_text())] == [], page.name
    assert (tmp_path / "site" / "search" / "search_index.json").is_file()
    assert not (tmp_path / "site" / "_site").exists()
