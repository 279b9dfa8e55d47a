"""Figures of a cohort show what their numbers say; artists are asked, not pixels."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib._pylab_helpers as registry
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from report.cohort.cohorts import FAST, METHOD, Made, filled

from voxplain.aggregate.cohort import Edge, Graph, Node, Tree
from voxplain.report.cohort.chapter import chapter
from voxplain.report.cohort.drawings import case_grid, level_grid, share_grid
from voxplain.report.cohort.figures.circle import circle, shown
from voxplain.report.cohort.figures.dendrogram import dendrogram
from voxplain.report.cohort.figures.grid import Grid, grid
from voxplain.report.cohort.figures.hover import Hovered, inline
from voxplain.report.cohort.figures.reach import radii, reach
from voxplain.report.cohort.figures.shades import ABOVE, BELOW, GREY, Scale, colour
from voxplain.report.cohort.figures.shares import shares, top_regions
from voxplain.report.cohort.shown.orders import order_of
from voxplain.report.study.figures import svg

NAN = float("nan")
LONG = "a_region_with_a_name_of_sixty_letters_which_no_figure_can_hold"
TARGETS = ("liver", "spleen", "kidney", "stomach")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    made = Made(
        12,
        TARGETS,
        ("background", *TARGETS, "spine"),
        uses={("liver", "spine"): 3.0, ("liver", "liver"): 4.0},
        south={("kidney", "stomach"): 6.0},
        odd={(3, "stomach", "liver"): 20.0},
        lacks=[(5, "spleen")],
    )
    made.tables().games()
    known = {"site": made.site, "age": [50 + (7 * c) % 13 for c in range(12)]}
    return filled(made.write(tmp_path_factory.mktemp("figures"), known)).models[0]


@pytest.fixture(scope="module")
def part(model):
    from voxplain.report.cohort import CohortPage

    return chapter(1, model, CohortPage("t", (model,), drawn_cases=2)).first


def artists(drawing, prefix: str, panel: int = 0) -> dict[str, object]:
    found = drawing.figure.axes[panel].get_children()
    return {a.get_gid(): a for a in found if (a.get_gid() or "").startswith(prefix)}


def pieces(patch) -> list[np.ndarray]:
    path = patch.get_path()
    starts = [*np.flatnonzero(path.codes == path.MOVETO), len(path.codes)]
    return [path.vertices[a:b] for a, b in pairwise(starts)]


def texts(drawing) -> list[str]:
    return [t.get_text() for axes in drawing.figure.axes for t in axes.texts]


def made_grid(values, coloured=None, **more) -> Hovered:
    v = np.asarray(values, dtype=np.float64)
    fields = {
        "targets": tuple(f"t{i}" for i in range(v.shape[0])),
        "regions": tuple(f"r{j}" for j in range(v.shape[1])),
        "values": v,
        "coloured": ~np.isnan(v) if coloured is None else coloured,
        "scale": Scale(3.0),
        "write": "{:.1f}".format,
        "scale_name": "what",
        "grey_name": "grey",
        "caption": "c",
        "alt": "a",
    }
    return grid(Grid(**{**fields, **more}))


def cells(drawing) -> dict[tuple[int, int], str]:
    """Each cell's colour, from the shapes that cover it."""
    found: dict[tuple[int, int], str] = {}
    for name, patch in artists(drawing, "").items():
        if not re.fullmatch(r"grey|step-.*", name or ""):
            continue
        for piece in pieces(patch):
            (left, low), (right, high) = piece.min(0), piece.max(0)
            for i in range(round(low + 0.5), round(high + 0.5)):
                for j in range(round(left + 0.5), round(right + 0.5)):
                    assert (i, j) not in found
                    found[i, j] = "grey" if name == "grey" else name.removeprefix("step-")
    return found


# ---- matrix ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (4, 7), (30, 30), (104, 105)])
def test_cells_have_their_values_colours_and_others_are_grey_or_struck_out(shape):
    rng = np.random.default_rng(shape[0])
    values = rng.normal(0, 1.5, shape)
    values[rng.random(shape) < 0.1] = NAN
    coloured = rng.random(shape) < 0.5
    drawing = made_grid(values, coloured)
    found = cells(drawing)
    for (i, j), value in np.ndenumerate(values):
        if np.isnan(value):
            assert (i, j) not in found
            continue
        step = min(int(np.ceil(abs(value) / 3.0 * 6)), 6)
        expected = str(step if value > 0 else -step) if coloured[i, j] else "grey"
        assert found[i, j] == expected
    gone = artists(drawing, "absent")
    strokes = list(pieces(gone["absent"])) if gone else []
    diagonal = {(round(p[:, 1].mean()), round(p[:, 0].mean())) for p in strokes if p[0, 1] != p[1, 1]}
    assert diagonal == {tuple(at) for at in np.argwhere(np.isnan(values)).tolist()}


def test_shades_are_told_apart_and_none_is_grey():
    every = [colour(s) for s in Scale(1.0).all_steps]
    assert len(set(every)) == 12 and GREY not in every

    def light(text: str) -> float:
        r, g, b = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for ramp in (ABOVE, BELOW):  # darker step by step, whatever colours one sees
        assert all(light(a) > light(b) + 0.02 for a, b in pairwise(ramp))


@pytest.mark.parametrize("count", [18, 104])
def test_every_name_is_written_once_per_axis_and_none_touches_its_neighbour(count):
    names = tuple(f"{LONG[:30]}_{k}" for k in range(count))
    drawing = made_grid(np.ones((count, count)), targets=names, regions=names)
    written = [t for t in drawing.figure.axes[0].texts if re.search(r"_\d+$|…", t.get_text())]
    assert len(written) == 2 * count
    for k in (0, 1, count - 1):
        assert (
            sum(t.get_text().endswith(str(k)) and t.get_text().startswith("a_region") for t in written) >= 2
        )
    height = drawing.figure.get_size_inches()[1]
    rows = [t for t in written if t.get_rotation() == 0]
    for side in ("left", "right"):
        own = sorted(t.get_position()[1] for t in rows if t.get_ha() == side)
        cell = drawing.figure.axes[0].get_position().height * height / count
        for a, b in pairwise(own):
            assert (b - a) * cell * 72 >= rows[0].get_fontsize() * 1.2


def test_numbers_stand_in_large_cells_only():
    small = texts(made_grid(np.full((30, 30), 2.5)))
    large = texts(made_grid([[2.5, 1.5]], np.array([[True, False]])))
    assert "2.5" in large and "1.5" not in large and "2.5" not in small


def test_pointing_at_a_cell_tells_its_numbers(model):
    lens = model.lenses[0]
    order = order_of(lens)
    drawing = level_grid(lens, order)
    text = str(inline(drawing))
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    rects = [r for r in root.iter(f"{space}rect") if r.find(f"{space}title") is not None]
    assert len(rects) == 4 * 6
    told = [r.find(f"{space}title").text for r in rects]
    t, r = TARGETS.index("liver"), lens.mass.regions.index("spine")
    (own,) = [x for x in told if x.startswith("liver ← spine")]
    assert f"share {100 * lens.shares.mean[t, r]:.0f} %" in own
    assert f"density {lens.densities.mean[t, r]:.2g}" in own and own.endswith("n 12")
    # a spot lies where its cell is drawn
    axes = drawing.figure.axes[0]
    height = drawing.figure.get_size_inches()[1]
    for spot in drawing.spots:
        target, region = re.match(r"(\w+) ← (\w+):", spot.text).groups()
        i = [lens.mass.targets[k] for k in order.targets].index(target)
        j = [lens.mass.regions[k] for k in order.regions].index(region)
        x, y = axes.transData.transform((j, i)) / drawing.figure.dpi
        assert (spot.left + spot.width / 2, height - spot.top - spot.height / 2) == pytest.approx((x, y))
    assert root.get("role") == "img" and root.get("aria-label") == drawing.alt
    assert "<style" not in text and 'id="' not in text  # nothing that would reach the rest of the page


def test_the_matrix_holds_means_in_the_order_of_clusters(model):
    lens = model.lenses[0]
    order = order_of(lens)
    found = cells(share_grid(lens, order))
    for i, t in enumerate(order.targets):
        for j, r in enumerate(order.regions):
            assert (found[i, j] == "grey") == (not lens.coloured[t, r])
    assert "spine" in share_grid(lens, order).alt


@pytest.mark.parametrize(("lowest", "told"), [(-30.0, True), (-1.0, False)])
def test_a_share_of_next_to_nothing_does_not_make_all_others_pale(model, lowest, told):
    lens = model.lenses[0]
    means = np.full_like(lens.levels.mean, lowest)
    means[:, 0] = 2.9
    lens = replace(lens, levels=replace(lens.levels, mean=means), beaten=None)
    drawing = level_grid(lens, order_of(lens))
    assert set(cells(drawing).values()) == {"6", "-6" if told else "-2"}
    assert ("Darkest below 0: −3 and less" in drawing.caption) == told


@pytest.mark.parametrize(("lacking", "left_out"), [(7, 0), (8, 8)])
def test_regions_that_are_in_no_case_are_left_out_where_they_are_many(lacking, left_out):
    targets = ("a", "b", *(f"no {k}" for k in range(lacking)))
    regions = (*targets, "outside")
    present = np.array([["no" not in r for r in regions]] * 2)
    mass = SimpleNamespace(
        targets=targets, regions=regions, present=present, answered=present[:, : len(targets)]
    )
    order = order_of(
        SimpleNamespace(mass=mass, tree=None, shares=SimpleNamespace(mean=np.zeros((1, len(regions)))))
    )
    assert order.absent == (left_out, left_out)
    shown = [regions[r] for r in order.regions]
    assert shown == (["a", "b", "outside"] if left_out else list(regions))
    assert [targets[t] for t in order.targets] == [r for r in shown if r != "outside"]


@pytest.mark.parametrize("name", ["what", "mean share of the effects of a very large number of regions, %"])
def test_the_legend_fits_and_hatched_is_drawn_hatched(name):
    drawing = made_grid(
        [[NAN, 1.0]],
        scale_name=name,
        grey_name="grey: interval holds 0; hatched: in no case, or too rare for it",
    )
    wide, _ = drawing.figure.get_size_inches() * drawing.figure.dpi
    renderer = FigureCanvasAgg(drawing.figure).get_renderer()
    for text in drawing.figure.axes[0].texts:
        where = text.get_window_extent(renderer)
        assert where.x0 >= 0 and where.x1 <= wide and where.y0 >= 0, text.get_text()
    grey, hatched, struck = (
        artists(drawing, f"legend-{k}")[f"legend-{k}"] for k in ("grey", "hatched", "struck")
    )
    assert to_hex(grey.get_facecolor()) == GREY != to_hex(hatched.get_facecolor())
    (swatch,) = pieces(hatched)
    lines = pieces(struck)
    assert len(lines) == 2
    for line in lines:
        assert (line >= swatch.min(0) - 1e-9).all() and (line <= swatch.max(0) + 1e-9).all()
    assert {"grey: interval holds 0", "hatched: in no case, or too rare for it"} <= set(texts(drawing))
    assert not artists(made_grid([[1.0]], grey_name=""), "legend-grey")


def test_what_is_left_out_of_a_matrix_is_told(model):
    lens = model.lenses[0]
    order = order_of(lens)
    assert "Left out" not in level_grid(lens, order).caption
    told = level_grid(lens, replace(order, absent=(1, 76))).caption
    assert "Left out: 1 target and 76 regions in no case." in told


def test_a_case_is_coloured_where_it_is_unusual(model):
    lens = model.lenses[0]
    order = order_of(lens)
    z = lens.outliers.z[3]
    found = cells(case_grid(lens, "case-03", z, order))
    at = order.targets.index(TARGETS.index("stomach")), order.regions.index(lens.mass.regions.index("liver"))
    assert int(found[at]) > 3
    coloured = {k for k, v in found.items() if v != "grey"}
    strong = {
        (order.targets.index(t), order.regions.index(r)) for t, r in np.argwhere(np.abs(z) >= 2).tolist()
    }
    assert coloured == strong


# ---- graph and dendrogram --------------------------------------------------------------------------------------------


def a_graph(edges, names="abcdef") -> Graph:
    nodes = tuple(Node(n, 1 + k % 3, 0.5, k % 2 == 0, True, True) for k, n in enumerate(names))
    return Graph("mass", nodes, tuple(Edge(r, t, w, 9, 0.01) for r, t, w in edges), {})


def test_arrows_run_from_regions_to_targets_wide_by_share():
    edges = [("a", "d", 0.4), ("d", "a", 0.2), ("b", "c", 0.1)]
    drawing = circle(a_graph(edges), "abcdef", tested=True)
    lines, heads, dots = (artists(drawing, f"{k}-") for k in ("edge", "head", "node"))
    where = {n: pieces(dots[f"node-{k}"])[0][:-1].mean(0) for k, n in enumerate("abcdef")}
    assert len(lines) == 3
    widths = [lines[f"edge-{k}"].get_linewidth() for k in range(3)]
    assert widths == pytest.approx([0.5 + 3.5 * w for w in (1.0, 0.5, 0.25)])
    for k, (region, target, _) in enumerate(edges):
        path = lines[f"edge-{k}"].get_path().vertices
        tip = pieces(heads[f"head-{k}"])[0][0]
        assert min("abcdef", key=lambda n: np.linalg.norm(where[n] - path[0])) == region
        assert min("abcdef", key=lambda n: np.linalg.norm(where[n] - tip)) == target
    there, back = (lines[f"edge-{k}"].get_path().vertices[1] for k in (0, 1))
    assert np.linalg.norm(there - back) > 0.1  # both directions can be told apart
    assert set(artists(drawing, "own-")) == {"own-0", "own-2", "own-4"}  # they beat the nulls
    angles = [np.arctan2(*where[n][::-1]) for n in "abcdef"]
    assert np.allclose(np.diff(np.unwrap(angles)), -np.pi / 3)  # clockwise in this order
    assert "a to d (40 %)" in drawing.alt


@pytest.mark.parametrize(("beats", "told"), [(True, True), (False, False), (None, False)])
def test_rings_are_explained_where_there_are_any(beats, told):
    graph = a_graph([("a", "b", 0.5)])
    graph = replace(graph, nodes=tuple(replace(n, own_beats=beats) for n in graph.nodes))
    drawing = circle(graph, "abcdef", tested=beats is not None)
    assert ("A ring" in drawing.caption) == bool(artists(drawing, "own-")) == told


def test_of_many_the_strongest_arrows_and_their_names_are_kept():
    rng = np.random.default_rng(0)
    names = [f"n{k}" for k in range(104)]
    edges = [
        (names[a], names[b], float(w))
        for (a, b), w in zip(rng.integers(104, size=(300, 2)), rng.random(300), strict=True)
    ]
    graph = a_graph(edges, names)
    kept = shown(graph, names[::-1])
    assert len(kept.edges) == 150 and kept.hidden == 150
    assert min(e.weight for e in kept.edges) >= sorted((w for *_, w in edges), reverse=True)[149]
    assert [n.name for n in kept.nodes] == [
        n for n in names[::-1] if n in {x for e in kept.edges for x in (e.region, e.target)}
    ]
    drawing = circle(graph, names, tested=True)
    assert "150 weaker ones left out" in drawing.caption and svg(drawing) == svg(
        circle(graph, names, tested=True)
    )
    assert len(shown(a_graph([("a", "b", 1.0)]), "abcdef").nodes) == 6  # of few, all


@pytest.mark.parametrize(
    ("edges", "tested", "words"), [([], True, "beats the nulls"), ([], False, "share above 0")]
)
def test_a_graph_without_arrows_says_so(edges, tested, words):
    drawing = circle(a_graph(edges), "abcdef", tested=tested)
    assert "No arrow" in drawing.caption and words in drawing.caption


def test_branches_join_at_their_distances():
    merges = np.array([[0.0, 1.0, 0.5, 2.0], [2.0, 3.0, 0.75, 2.0], [4.0, 5.0, 2.0, 4.0]])
    tree = Tree(("a", "b", "c", "d"), merges, ("b", "a", "c", "d"), np.array([1, 1, 2, 2]), 0.7, 0.9, ("e",))
    drawing = dendrogram(tree)
    found = {k: [p.tolist() for p in pieces(v)] for k, v in artists(drawing, "cluster-").items()}
    assert set(found) == {"cluster-0", "cluster-1", "cluster-2"}
    # b is in row 0, a in row 1: their bracket is at 0.5, from row 1 to row 0; then half way up to 2
    assert found["cluster-1"] == [
        [[0, 1], [0.5, 1]],
        [[0, 0], [0.5, 0]],
        [[0.5, 1], [0.5, 0]],
        [[0.5, 0.5], [2, 0.5]],
    ]
    assert found["cluster-0"] == [[[2, 0.5], [2, 2.5]]]
    assert [t for t in texts(drawing) if t in "abcd"] == ["b", "a", "c", "d"]
    assert "cophenetic correlation 0.9" in drawing.caption and "left out: e" in drawing.caption


# ---- shares and reach ------------------------------------------------------------------------------------------------


def test_boxes_are_quartiles_of_the_largest_shares(model):
    lens = model.lenses[0]
    t = TARGETS.index("liver")
    drawing = shares(lens, t)
    regions = top_regions(lens, t)
    mean = np.nanmean(lens.mass.values[:, t], axis=0)
    assert [mean[r] for r in regions] == sorted(mean, reverse=True)
    names = [x for x in texts(drawing) if x and not x.startswith("n =")]
    assert names == ["itself (liver)" if r == 1 else lens.mass.regions[r] for r in regions]
    found = {}
    for kind in ("above", "rest"):
        for piece in pieces(artists(drawing, "boxes-")[f"boxes-{kind}"]):
            found[round(piece[:, 1].mean())] = (kind, piece[:, 0].min(), piece[:, 0].max())
    for row, r in enumerate(regions):
        values = lens.mass.values[:, t, r]
        low, high = np.nanpercentile(values, [25, 75])
        assert found[row][1:] == pytest.approx((low, high))
        assert (found[row][0] == "above") == bool(lens.coloured[t, r])
    ticks = [p[0, 0] for p in pieces(artists(drawing, "volume")["volume"])]
    assert ticks == pytest.approx(
        [np.nanmedian(lens.expected.nulls["volume"].values[:, t, r]) for r in regions]
    )
    assert "n = 11" in texts(drawing)  # the case without a spleen


def test_curves_are_medians_and_radii_come_farthest_first(model):
    lens = model.lenses[0]
    drawing = reach(lens, 2)
    line = artists(drawing, "median")["median"]
    np.testing.assert_allclose(line.get_ydata(), lens.radius.median[2])
    np.testing.assert_allclose(line.get_xdata(), [0, 5, 20, 35])
    assert [t.get_text() for t in drawing.figure.axes[0].get_xticklabels()][:1] == [">20"]
    assert (lens.unit, lens.open_end) == ("mm", True)
    overview = radii(lens)
    order = np.argsort(-lens.radius.radius_quartiles[1], kind="stable")
    assert [t for t in texts(overview) if t in TARGETS] == [TARGETS[t] for t in order]
    dots = artists(overview, "medians")["medians"]
    np.testing.assert_allclose(dots.get_xdata(), lens.radius.radius_quartiles[1][order])


# ---- outliers, relations, groups, faithfulness -----------------------------------------------------------------------


def test_exactly_the_called_are_marked_beyond_the_limit(part):
    lens = part.lens
    called = artists(part.scores, "called")["called"]
    assert sorted(called.get_xdata()) == pytest.approx(sorted(lens.outliers.score[lens.outliers.q <= 0.05]))
    assert list(called.get_ydata()) == [0]  # the highest case on top
    assert min(called.get_xdata()) >= part.limits["stomach"] - 1e-9
    quiet = artists(part.scores, "quiet")["quiet"]
    assert len(quiet.get_xdata()) + len(called.get_xdata()) == (~np.isnan(lens.outliers.score)).sum()


def test_differences_stand_at_their_numbers(part):
    (group,) = part.groups
    found = artists(group.figure, "")
    np.testing.assert_allclose(
        found["differences-found"].get_xdata(), [r.difference for r in group.rows if r.called]
    )
    bars = [tuple(p[:, 0]) for p in pieces(found["intervals-rest"])]
    np.testing.assert_allclose(bars, [(r.low, r.high) for r in group.rows[:15] if not r.called])
    assert group.called == sum(r.called for r in group.rows) and group.rows[0].region == "stomach"


def test_panels_show_all_cases(part):
    panels = part.scatter.figure.axes
    assert 1 <= len(panels) <= 6
    rows = (*part.score_rows[:3], *part.entry_rows[:3])
    for k, row in enumerate(rows[: len(panels)]):
        dots = artists(part.scatter, "cases-", k)[f"cases-{k}"]
        assert len(dots.get_xdata()) == row.n
        assert (dots.get_markerfacecolor() != "none") == (row.q <= 0.05)


def test_faithfulness_marks_are_means_over_cases(model):
    from voxplain.report.cohort.figures.agree import agree
    from voxplain.report.cohort.shown.faithful import truthful

    ((_, rows),) = truthful(model.faithful)
    drawing = agree(rows)
    names = [t for t in texts(drawing) if t in TARGETS]
    for k, row in enumerate(rows):
        marks = artists(drawing, "method-")[f"method-{k}"]
        expected = [row.spearman[TARGETS.index(n)] for n in names]
        np.testing.assert_allclose(marks.get_xdata(), expected)
        assert (marks.get_markerfacecolor() == "none") == row.reference
    band = {round(p[:, 1].mean()): p[:, 0].max() for p in pieces(artists(drawing, "chance")["chance"])}
    assert [band[k] for k in range(4)] == pytest.approx([rows[0].null[TARGETS.index(n)] for n in names])
    assert METHOD in texts(drawing)[4]


# ---- any content -----------------------------------------------------------------------------------------------------


def test_figures_are_text_small_and_always_the_same(part):
    before = set(registry.Gcf.figs)
    for drawing in (part.levels, part.graph, part.tree, part.radii, part.scores, part.targets[0].shares):
        first = svg(drawing)
        assert first == svg(drawing) and len(first) < 40_000
        root = ElementTree.fromstring(first)
        assert list(root.iter("{http://www.w3.org/2000/svg}text"))
        sizes = [float(s) for s in re.findall(rb"font-size: ([\d.]+)px", first)]
        assert sizes and min(sizes) >= 6.5
    assert set(registry.Gcf.figs) == before  # no pyplot figure was opened


@pytest.mark.parametrize("name", ["$x_$", "<b>&\"'", "line\nbreak \x00\x1b", "名前", LONG, "x" * 300])
def test_any_name_can_be_drawn(tmp_path, name):
    from voxplain.report.cohort import CohortPage

    made = Made(3, [name.replace("\x00", ""), "b", "c"], [name.replace("\x00", ""), "b", "c"]).tables()
    model = filled(made.write(tmp_path), asked=FAST).models[0]
    found = chapter(1, model, CohortPage("t", (model,))).first
    for drawing in (
        found.levels,
        found.shares,
        found.graph,
        found.tree,
        found.radii,
        found.targets[0].shares,
    ):
        ElementTree.fromstring(svg(drawing))
        assert drawing.alt
    ElementTree.fromstring(str(inline(found.levels)))


def test_a_hundred_classes_stay_small():
    rng = np.random.default_rng(0)
    names = tuple(f"a class with some name {k}" for k in range(104))
    hover = [[f"{t} ← {r}: share 1.2 %, density 1.3, q 0.012, n 20" for r in names] for t in names]
    drawing = made_grid(
        rng.normal(size=(104, 104)), rng.random((104, 104)) < 0.05, targets=names, regions=names, hover=hover
    )
    assert len(svg(drawing)) < 250_000 and len(str(inline(drawing))) < 2_300_000
