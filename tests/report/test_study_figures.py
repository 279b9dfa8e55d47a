"""Figures of a study show what their numbers say; artists are asked, not pixels."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib._pylab_helpers as registry
import numpy as np
import pytest
from report.study_pages import long, results

from voxplain.metric.comparison import compare, ranking
from voxplain.report.study import AgreementMatrix, Curve, CurveSet
from voxplain.report.study.clusters import near_duplicates, order
from voxplain.report.study.figures import boxes, heat, lines, ranks, svg


def artists(drawing, prefix: str) -> dict[str, object]:
    """Artists of the panel by name."""
    (axes,) = drawing.figure.axes
    return {a.get_gid(): a for a in axes.get_children() if (a.get_gid() or "").startswith(prefix)}


def segments_of(patch) -> list[np.ndarray]:
    """The pieces of a compound path."""
    path = patch.get_path()
    starts = [*np.flatnonzero(path.codes == path.MOVETO), len(path.codes)]
    return [path.vertices[a:b] for a, b in pairwise(starts)]


# ---- critical difference ---------------------------------------------------------------------------------------------


def found_ranking(methods: int, cases: int = 12, seed: int = 0):
    values = np.random.default_rng(seed).normal(size=(cases, methods)) + 0.7 * np.arange(methods)[::-1]
    return ranking(values, higher=True)


@pytest.mark.parametrize("methods", [3, 4, 9, 24])
def test_names_follow_the_ranks_on_both_sides(methods):
    found = found_ranking(methods)
    names = [f"m{k}" for k in range(methods)]
    drawing = ranks(found, names, "metric")
    labels = artists(drawing, "name-")
    assert len(labels) == methods
    by_rank = np.argsort(found.average, kind="stable")
    left, right = by_rank[: (methods + 1) // 2], by_rank[(methods + 1) // 2 :]
    heights = [labels[f"name-{m}"].get_position()[1] for m in left]
    assert heights == sorted(heights) and len(set(heights)) == len(heights)  # the best on top
    heights = [labels[f"name-{m}"].get_position()[1] for m in right]
    assert heights == sorted(heights, reverse=True)  # the worst on top
    for k, name in enumerate(names):
        x = labels[f"name-{k}"].get_position()[0]
        assert (x < 1) == (k in left) and (x > methods) == (k in right)
        text = labels[f"name-{k}"].get_text()
        assert name in re.split(r"\s+", text) and f"{found.average[k]:.3g}" in text
    # every line starts on the axis at the method's rank and ends beside its name
    for side, own in (("left", left), ("right", right)):
        pieces = segments_of(artists(drawing, f"names-{side}")[f"names-{side}"])
        starts = {(round(p[0, 0], 9), p[-1, 1]) for p in pieces}
        assert starts == {(round(found.average[m], 9), labels[f"name-{m}"].get_position()[1]) for m in own}


@pytest.mark.parametrize(("methods", "cases"), [(3, 30), (5, 40), (9, 12), (24, 30), (47, 20)])
def test_bars_join_exactly_the_methods_that_cannot_be_told_apart(methods, cases):
    found = found_ranking(methods, cases, seed=methods)
    drawing = ranks(found, [f"m{k}" for k in range(methods)], "metric")
    bars = [bar.get_xydata() for bar in artists(drawing, "bar-").values()]
    joined = []
    for (x0, y0), (x1, y1) in bars:
        assert y0 == y1
        joined.append({k for k in range(methods) if x0 - 1e-9 <= found.average[k] <= x1 + 1e-9})
    assert sorted(map(sorted, joined)) == sorted(sorted(group) for group in found.alike)
    for i, a in enumerate(bars):  # bars of one row do not touch
        for b in bars[:i]:
            assert a[0, 1] != b[0, 1] or a[0, 0] > b[1, 0] or b[0, 0] > a[1, 0]


def test_the_ruler_is_the_critical_difference_and_stays_in_the_figure():
    found = found_ranking(9)
    (axis,) = artists(ranks(found, list("abcdefghi"), "metric"), "axis").values()
    assert any(p[1, 0] - p[0, 0] == pytest.approx(found.critical) for p in segments_of(axis))
    wide = found_ranking(3, 2)
    assert wide.critical > 2
    drawing = ranks(wide, list("abc"), "metric")
    (axis,) = artists(drawing, "axis").values()
    assert max(p[:, 0].max() for p in segments_of(axis)) <= 3
    assert b"wider than the axis" in svg(drawing)


# ---- boxes -----------------------------------------------------------------------------------------------------------


def test_boxes_are_quartiles_and_the_best_is_on_top():
    rows = long(9)
    (result,) = [m for m in results(rows) if m.name == "deletion"]
    drawing = boxes(result)
    found = artists(drawing, "")
    means = result.comparison.table.values.mean(0)
    best_first = np.argsort(means)  # lower is better
    for row, piece in enumerate(segments_of(found["boxes-methods"])):
        column = result.comparison.table.values[:, best_first[row]]
        assert (piece[:, 0].min(), piece[:, 0].max()) == pytest.approx(tuple(np.percentile(column, [25, 75])))
        assert piece[:, 1].mean() == pytest.approx(row, abs=0.2)
    middles = [p[0, 0] for p in segments_of(found["medians-methods"])]
    assert middles == pytest.approx(np.median(result.comparison.table.values, axis=0)[best_first])
    ends = np.array([p[:, 0] for p in segments_of(found["whiskers-methods"])])
    assert ends.min() == result.comparison.table.values.min()
    assert ends.max() == result.comparison.table.values.max()
    assert len(segments_of(found["boxes-nulls"])) == 2
    for null in result.nulls:
        assert set(found[f"null-{null.name}"].get_xdata()) == {null.mean}


def test_few_cases_are_dots():
    rows = long(4)
    (result,) = [m for m in results(rows) if m.name == "insertion"]
    found = artists(boxes(result), "")
    assert "boxes-methods" not in found
    assert sorted(found["dots-methods"].get_xdata()) == pytest.approx(
        sorted(result.comparison.table.values.ravel())
    )


@pytest.mark.parametrize(
    ("values", "scale"), [([1.0, 2.0], "linear"), ([1e-3, 1e3], "log"), ([-1e5, 1.0, 2.0], "symlog")]
)
def test_figures_over_decades_get_ratios(values, scale):
    rows = [r for k, v in enumerate(values) for r in long(1, (f"m{k}",), ("insertion",))]
    for r, v in zip(rows, values, strict=True):
        r.update(value=v, null_edges=float("nan"), null_random=float("nan"))
    (result,) = results(rows)
    drawing = boxes(result)
    assert drawing.figure.axes[0].get_xscale() == scale
    low, high = drawing.figure.axes[0].get_xlim()
    assert low < min(values) and high > max(values)
    assert svg(drawing)


def test_a_metric_without_a_figure_can_be_drawn():
    rows = [{**r, "value": float("nan")} for r in long(3)]
    for result in results(rows):
        assert svg(boxes(result)).startswith(b"<svg")
    assert compare(rows, "deletion").ranking is None


# ---- agreement -------------------------------------------------------------------------------------------------------


def test_like_lies_beside_like_and_near_duplicates_are_named():
    matrix = np.full((4, 4), 0.1)
    np.fill_diagonal(matrix, 1)
    matrix[0, 2] = matrix[2, 0] = 0.97
    matrix[1, 3] = matrix[3, 1] = 0.8
    found = AgreementMatrix(("a", "b", "c", "d"), "pearson", matrix)
    places = order(found)
    assert sorted(places) == [0, 1, 2, 3]
    assert abs(places.index(0) - places.index(2)) == 1 and abs(places.index(1) - places.index(3)) == 1
    assert near_duplicates(found) == [("a", "c")]
    assert near_duplicates(found, 0.8) == [("a", "c"), ("b", "d")]
    chain = np.array([[1, 0.96, 0.9], [0.96, 1, 0.96], [0.9, 0.96, 1]])  # the ends are not alike enough
    assert len(near_duplicates(AgreementMatrix(("a", "b", "c"), "pearson", chain))[0]) == 2


@pytest.mark.parametrize("size", [2, 5, 20])
def test_heat_map_holds_every_value_once_or_twice(size):
    rng = np.random.default_rng(size)
    matrix = np.corrcoef(rng.normal(size=(size, 9)))
    matrix[0, 1] = matrix[1, 0] = np.nan
    names = tuple(f"m{k}" for k in range(size))
    found = AgreementMatrix(names, "pearson", matrix)
    drawing = heat(found)
    (axes,) = drawing.figure.axes
    places = order(found)
    cells = {
        (t.get_position()[1], t.get_position()[0]): t.get_text()
        for t in axes.texts
        if min(t.get_position()) >= 0
    }
    assert len(cells) == size * (size - 1) // (2 if size > 16 else 1)
    for (i, j), text in cells.items():
        value = matrix[places[i], places[j]]
        shown = float("nan") if text == "–" else float(text.replace("−", "-"))
        assert shown == pytest.approx(value, abs=0.0051, nan_ok=True)
    assert [t.get_text() for t in axes.texts if t.get_position()[0] < 0] == [names[k] for k in places]
    assert all(t.get_fontsize() >= 8 for t in axes.texts)


# ---- curves ----------------------------------------------------------------------------------------------------------


def test_curves_and_their_legend_share_style_and_order():
    curves = (
        Curve("low", (1.0, 0.2, float("nan"))),
        Curve("high", (1.0, 0.9, 0.8)),
        Curve("gone", (float("nan"),) * 3),
        Curve("edges", (1.0, 1.0, 1.0), True),
    )
    drawing = lines(CurveSet("t", ("0", "1", "2"), "x", "y", curves))
    drawn = artists(drawing, "curve-")
    expected = [curves[3], curves[1], curves[0]]  # by height
    for n, curve in enumerate(expected):
        np.testing.assert_array_equal(drawn[f"curve-{n}"].get_ydata(), curve.values)
    (axes,) = drawing.figure.axes
    named = list(axes.texts)
    assert [t.get_text() for t in named] == ["1.00 reference: edges", "0.90 high", "0.60 low"]
    swatches = [line for line in axes.lines if not line.get_gid()]
    for n, (swatch, text) in enumerate(zip(swatches, named, strict=True)):
        own = drawn[f"curve-{n}"]
        assert swatch.get_color() == own.get_color() and swatch.get_linestyle() == own.get_linestyle()
        assert swatch.get_ydata()[0] == text.get_position()[1]
    assert "1 curve without a figure left out" in drawing.caption


def test_no_two_of_fifty_curves_look_the_same():
    curves = tuple(Curve(f"m{k}", (1.0, k / 50)) for k in range(50))
    drawn = artists(lines(CurveSet("t", ("0", "1"), "x", "y", curves)), "curve-").values()
    looks = {(c.get_color(), str(c._unscaled_dash_pattern), c.get_linewidth()) for c in drawn}
    assert len(looks) == 50


# ---- files -----------------------------------------------------------------------------------------------------------


def test_svg_is_text_small_and_always_the_same():
    before = set(registry.Gcf.figs)
    (result, *_) = results(long(9))
    first, second = svg(boxes(result)), svg(boxes(result))
    assert first == second
    root = ElementTree.fromstring(first)
    words = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"good", "middling", "poor", "null: edges"} <= set(words)  # text, no outlines of letters
    assert b"metadata" not in first and b"font-face" not in first
    sizes = [float(s) for s in re.findall(rb"font-size: ([\d.]+)px", first)]
    assert sizes and min(sizes) >= 8
    assert len(first) < 12_000
    assert set(registry.Gcf.figs) == before  # no pyplot figure was opened


@pytest.mark.parametrize("name", ["$x_$", "<b>&\"'", "line\nbreak \x00\x1b", "名前", "x" * 300, ""])
def test_any_name_can_be_drawn(name):
    rows = [{**r, "method": name if r["method"] == "good" else r["method"]} for r in long(6)]
    (result,) = [m for m in results(rows) if m.name == "insertion"]
    found = result.comparison
    curve = CurveSet(name, (name,), name, name, (Curve(name, (1.0,)),))
    made = [boxes(result), ranks(found.ranking, found.table.methods, name), lines(curve)]
    made.append(heat(AgreementMatrix((name, "b"), "pearson", np.eye(2))))
    for drawing in made:
        ElementTree.fromstring(svg(drawing))
        assert drawing.alt and drawing.caption
