"""The site has every page, links lead somewhere, examples are whole; the build itself is `make docs`."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from voxplain.attribution import methods
from voxplain.metric import metrics

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_extensions"))

import api_rooms  # noqa: E402
import page_groups  # noqa: E402
import plain_docstrings  # noqa: E402
import repository_files  # noqa: E402

EXAMPLES = sorted([*DOCS.glob("gallery/plot_*.py"), *DOCS.glob("tutorials/plot_*.py")])
SYSTEMS = ("attribution", "aggregate", "inherent", "counterfactual", "simulator")
READERS = ("data_scientist", "clinician", "method_developer")


def in_tree(docname: str) -> set[str]:
    """The names in the tables of contents of a page, those that are added to it included."""
    path = DOCS / f"{docname}.md"
    text = path.read_text(encoding="utf-8") + page_groups.tree_of(docname, DOCS)
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return {re.sub(r".*<(.*)>", r"\1", line) for line in lines}


def test_every_guide_is_in_a_group():
    named = [name for names in page_groups.GROUPS.values() for name in names]
    assert len(named) == len(set(named)), "a guide stands in two groups of docs/_extensions/page_groups.py"
    left = page_groups.guides(DOCS) - set(named)
    assert not left, f"name {sorted(left)} in a group of docs/_extensions/page_groups.py"


def test_tables_of_contents_hold_every_page():
    assert page_groups.guides(DOCS) <= in_tree("guides")
    assert set(repository_files.pages(ROOT)) - {"repository/README"} <= in_tree("guides")
    assert set(methods()) == in_tree("methods/README")
    assert set(metrics()) == in_tree("metrics/README")
    assert {f"rooms/{room}" for room in api_rooms.ROOMS} == in_tree("api/index")
    top = {"repository/README", "auto_tutorials/index", "auto_gallery/index", "guides", "methods/README"}
    assert top | {"metrics/README", "api/index"} == in_tree("index")


def test_a_page_in_no_group_is_still_in_the_site(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "novel.md").write_text("# Novel")
    assert page_groups.grouped(tmp_path / "docs") == {"More": ["novel"]}
    assert "novel" in page_groups.tree_of("guides", tmp_path / "docs")


def test_every_room_with_public_names_has_a_page():
    folders = {path.parent.name for path in (ROOT / "src" / "voxplain").glob("*/__init__.py")}
    public = {name for name in folders if getattr(importlib.import_module(f"voxplain.{name}"), "__all__", ())}
    assert public <= set(api_rooms.ROOMS), (
        f"add {public - set(api_rooms.ROOMS)} to docs/_extensions/api_rooms.py"
    )
    page = api_rooms.page("case")
    assert ".. autofunction:: read_case" in page and ".. autoclass:: Geometry" in page


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for match in repository_files.LINK.finditer(text):
        target = match["target"]
        made = path.relative_to(ROOT).parts[:2] in (
            ("docs", "repository"),
            ("docs", "auto_gallery"),
            ("docs", "api"),
        )
        if made or "://" in target or target.startswith(("mailto:", "<")):
            continue
        assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"


def test_links_are_led_into_the_site():
    def led(text: str, place: Path, docname: str) -> str:
        return repository_files.led(text, place, docname, ROOT)[0]

    example = "[e](../examples/vessels/README.md#commands)"
    assert led(example, DOCS, "vessels") == "[e](repository/examples/vessels/README.md#commands)"
    assert led(
        "[s](../../docs/study.md)", ROOT / "examples" / "heads", "repository/examples/heads/README"
    ) == ("[s](../../../study.md)")
    assert led("![v](docs/images/vessels.png)", ROOT, "repository/README") == "![v](../images/vessels.png)"
    assert led("[m](../matrix.md)", DOCS / "methods", "methods/README") == "[m](../matrix.md)"
    assert led("[w](https://a.b/c)", DOCS, "study") == "[w](https://a.b/c)"
    text, needed = repository_files.led("[f](../src/voxplain/lazy.py)", DOCS, "study", ROOT)
    assert text == "[f](<path:/_files/src/voxplain/lazy.py>)" and needed == {Path("src/voxplain/lazy.py")}


def test_docstrings_keep_what_they_say():
    assert plain_docstrings.plain("`|a|` of |b| and x_, ``c``") == r"``|a|`` of \|b\| and x\_, ``c``"
    example = [">>> a = {'*': 1}", "{'*': 1}", "", "*b"]
    assert plain_docstrings.plain_lines(example) == [*example[:3], r"\*b"]


def test_there_is_a_page_for_every_system_and_reader():
    told = " ".join(path.stem for path in EXAMPLES)
    assert all(word in told for word in (*SYSTEMS, *READERS))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_use_public_names_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title = (ast.get_docstring(tree) or "").splitlines()
    assert len(title[0]) == len(title[1]) and set(title[1]) == {"="}, "its docstring is a title and its line"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "voxplain":
            room = importlib.import_module(node.module or "")
            assert node.module and node.module.count(".") == 1, f"{node.module} is below a room"
            for alias in node.names:
                assert alias.name in room.__all__, f"{node.module}.{alias.name} is not public"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "vx":
            assert node.attr in importlib.import_module("voxplain").__all__, (
                f"voxplain.{node.attr} is not public"
            )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_check_themselves_and_say_what_they_do_not_show(path):
    text = path.read_text(encoding="utf-8")
    assert "\nassert " in text or "np.testing" in text
    if path.parent.name == "gallery":
        assert "**Question.**" in text and "What it does not show" in text
    for name in re.findall(r"^# \.\. gallery-page:: (\S+)", text, re.MULTILINE):
        kept = [p for p in EXAMPLES if re.search(rf'keep\(.*, "{name}"\)', p.read_text(encoding="utf-8"))]
        assert len(kept) == 1, f"no example, or several, keep the page {name}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_pictures_of_examples_have_the_left_on_the_right_as_the_pages_do(path):
    """Phantoms grow towards R; drawn along their first axis they would be mirrored."""
    text = path.read_text(encoding="utf-8")
    assert "axis.invert_xaxis()" in text or 'origin="lower"' not in text


def test_what_a_site_loads_from_elsewhere_is_a_fault(tmp_path):
    spec = importlib.util.spec_from_file_location("check_site", ROOT / "scripts" / "check_site.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "a.css").write_text("p { color: red } @import '//fonts.example/b.css';")
    (tmp_path / "index.html").write_text(
        '<script src="https://cdn.example/a.js"></script><a href="https://example.org">read</a>'
        '<link rel="next" href="gone.html"><img src="here.png"><a href="there.html#x">t</a><a href="#y">y</a>'
    )
    (tmp_path / "there.html").write_text("<p style=\"background: url('http://x.example/y.png')\">")
    assert sorted(script.faults(tmp_path)) == [
        "a.css: loads //fonts.example/b.css",
        "index.html: here.png leads nowhere",
        "index.html: loads https://cdn.example/a.js",
        "there.html: loads http://x.example/y.png",
    ]
