"""Every method has a card, and the table of all methods says what the methods declare."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from voxplain.attribution.method import FAMILIES, methods

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "docs" / "methods"


@pytest.mark.parametrize("name", sorted(methods()))
def test_every_method_has_a_card(name):
    card = FOLDER / f"{name}.md"
    assert card.is_file(), f"write docs/methods/{name}.md"
    text = card.read_text(encoding="utf-8")
    assert text.startswith("# ") and f"`{name}`" in text.splitlines()[0]
    assert len(text.splitlines()) > 15
    for words in (
        ("cost", "passes"),
        ("mean", "read"),
        ("fail", "refuse", "wrong", "doubt", "careful", "limit"),
    ):
        assert any(w in text.lower() for w in words), f"{card.name} does not tell about {words[0]}"


@pytest.mark.parametrize("name", sorted(methods()))
def test_the_declarations_are_whole(name):
    method = methods()[name]
    assert method.family in FAMILIES
    assert method.title and method.source and method.reads
    assert set(method.needs) <= {"gradients", "hooks", "layer", "baseline", "regions", "channels"}
    assert method.answer in ("map", "map of the layer", "image")
    # the first needed thing of most methods; a method without gradients only asks for scores
    assert method.__doc__ is not None and len(method.__doc__) > 80


def test_no_card_is_left_over():
    assert {p.stem for p in FOLDER.glob("*.md")} - {"README"} == set(methods())


def test_the_table_of_methods_is_up_to_date():
    spec = importlib.util.spec_from_file_location("write_index", ROOT / "scripts" / "write_index.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text(encoding="utf-8") == script.text(), "run scripts/write_index.py"
