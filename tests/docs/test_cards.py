"""Every method has a card, and the table of all methods says what the methods declare."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from voxplain.attribution.method import FAMILIES, methods
from voxplain.metric import metrics
from voxplain.metric.metric import FAMILIES as METRIC_FAMILIES
from voxplain.metric.nulls import NULLS

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
    known = {"gradients", "hooks", "layer", "baseline", "regions", "channels", "evidence"}
    assert set(method.needs) <= known
    assert method.answer in ("map", "map of the layer", "image")
    # the first needed thing of most methods; a method without gradients only asks for scores
    assert method.__doc__ is not None and len(method.__doc__) > 80


def test_no_card_is_left_over():
    assert {p.stem for p in FOLDER.glob("*.md")} - {"README"} == set(methods())


@pytest.mark.parametrize("name", sorted(metrics()))
def test_every_metric_has_a_card_and_whole_declarations(name):
    text = (ROOT / "docs" / "metrics" / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith("# ") and f"`{name}`" in text.splitlines()[0]
    assert all(w in text.lower() for w in ("read", "cost", "not", "check"))
    metric = metrics()[name]
    assert metric.name == name and metric.family in METRIC_FAMILIES
    assert metric.title and metric.reads and any(c.isdigit() for c in metric.source)
    assert metric.better in ("higher", "lower", "neither")
    assert metric.span[0] < metric.span[1]
    assert set(metric.needs) <= {"mask", "weights", "method"}
    assert set(metric.nulls) <= set(NULLS)


def test_no_metric_card_is_left_over():
    assert {p.stem for p in (ROOT / "docs" / "metrics").glob("*.md")} - {"README"} == set(metrics())


def test_the_tables_of_methods_and_metrics_are_up_to_date():
    spec = importlib.util.spec_from_file_location("write_index", ROOT / "scripts" / "write_index.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for page, made in script.PAGES.items():
        assert page.read_text(encoding="utf-8") == made(), "run scripts/write_index.py"
