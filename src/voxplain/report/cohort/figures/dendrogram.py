"""Targets that depend on the same regions, side by side on a tree."""

from __future__ import annotations

import numpy as np

from voxplain.aggregate.cohort import Tree
from voxplain.report.canvas import Drawing
from voxplain.report.cohort.figures.circle import hue
from voxplain.report.cohort.shown.words import listed
from voxplain.report.study.figures.compound import Point, segments
from voxplain.report.study.figures.sheet import FAINT, INK, TEXT, panel, room, sheet, short, write
from voxplain.report.study.words import number

_ROW, _WIDTH, _FOOT, _HEAD = 0.19, 3.6, 0.5, 0.1


def dendrogram(tree: Tree) -> Drawing:
    """The root at the left, a row per target."""
    names = [short(f"{n}") for n in tree.order]
    height = len(names) * _ROW
    figure = sheet(0.3 + _WIDTH + room(names) + 0.4, height + _FOOT + _HEAD)
    axes = panel(figure, 0.3, _FOOT, _WIDTH, height)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.5, -0.5)
    top = float(tree.merges[:, 2].max()) or 1.0
    axes.set_xlim(1.03 * top, 0)
    clusters = tree.cluster_of()
    for cluster, lines in _pieces(tree).items():
        segments(
            axes, lines, f"cluster-{cluster}", ec=hue(cluster), lw=1.5 if cluster else 1.1, clip_on=False
        )
    for row, (name, label) in enumerate(zip(tree.order, names, strict=True)):
        write(axes, 1.02, row, str(clusters[name]), transform=axes.get_yaxis_transform(), va="center", fontsize=7.5,
              color=hue(clusters[name]), weight="bold")  # fmt: skip
        write(axes, 1.06, row, label, transform=axes.get_yaxis_transform(), va="center")
    axes.set_xlabel("Aitchison distance at which they join", fontsize=TEXT, color=INK)
    axes.tick_params(axis="x", colors=FAINT)
    return Drawing(figure, _caption(tree), _alt(tree))


def _pieces(tree: Tree) -> dict[int, list[list[Point]]]:
    """Brackets of merges by cluster, 0 where two clusters join."""
    leaves = len(tree.names)
    rows = {name: k for k, name in enumerate(tree.order)}
    y = [float(rows[n]) for n in tree.names]
    x = [0.0] * leaves
    own = [int(c) for c in tree.clusters]
    made: dict[int, list[list[Point]]] = {}
    for a, b, distance, _ in tree.merges.tolist():
        i, j = int(a), int(b)
        same = own[i] if own[i] == own[j] else 0
        for child in (i, j):
            # a branch keeps its cluster's colour up to where it joins another
            made.setdefault(own[child], []).append([(x[child], y[child]), (distance, y[child])])
        made.setdefault(same, []).append([(distance, y[i]), (distance, y[j])])
        x.append(distance)
        y.append((y[i] + y[j]) / 2)
        own.append(same)
    return made


def _caption(tree: Tree) -> str:
    fit = (
        "its cophenetic correlation cannot be told: all distances are alike"
        if np.isnan(tree.cophenetic)
        else f"cophenetic correlation {number(tree.cophenetic, 2)} (near 1: the tree shows the distances; near 0: it "
        "does not)"
    )
    apart = (
        ""
        if np.isnan(tree.silhouette)
        else f", mean silhouette of the clusters {number(tree.silhouette, 2)} (near 0 or below: none)"
    )
    lost = f" Without distances, left out: {listed(tree.left_out, 8)}." if tree.left_out else ""
    return f"Targets by how alike their shares are (log-ratios, average linkage); {fit}{apart}. Numbers are clusters.{lost}"


def _alt(tree: Tree) -> str:
    clusters = tree.cluster_of()
    told = [
        f"{c}: {listed([n for n in tree.order if clusters[n] == c], 8)}"
        for c in sorted(set(clusters.values()))
    ]
    return f"Dendrogram of {len(tree.names)} targets. Clusters {'; '.join(told)}."
