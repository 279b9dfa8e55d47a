"""Cards on pages: every method of ours has one, the wheel carries them, and nothing in them becomes markup of its own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from voxplain.attribution.method import methods
from voxplain.report import MethodCard, Page, cards, render

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", sorted(methods()))
def test_every_method_s_card_is_found_where_the_package_is(name: str) -> None:
    found = dict(cards.card(name))
    assert found
    assert all(text.strip() for text in found.values())
    assert "<a " not in "".join(found.values())


def test_the_wheel_carries_them() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried == {"docs/methods": "voxplain/report/method_cards"}
    assert Path(cards.__file__).parent / "method_cards" == cards.PACKED


def test_markup_in_a_card_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "# A\n\n## What it computes\n\n<script>x</script> [there](https://example.org) and `code`\n\n- one\n"
    )
    (tmp_path / "mine.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(cards, "SOURCE", tmp_path)
    cards.card.cache_clear()
    page = render(Page("c", "m", methods=(MethodCard("mine"),)))
    cards.card.cache_clear()
    assert "&lt;script&gt;x&lt;/script&gt; there and <code>code</code>" in page
    assert "<script" not in page
    assert "example.org" not in page


@pytest.mark.parametrize("name", ["../../README", "nobody", ""])
def test_other_names_have_none(name: str) -> None:
    assert cards.card(name) == ()
