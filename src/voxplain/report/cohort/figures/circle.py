"""Who uses whom: regions and targets on a circle, clusters side by side, an arrow from each region to what depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxplain.aggregate.cohort import Edge, Graph, Node
from voxplain.report.canvas import Drawing
from voxplain.report.cohort.shown.words import listed, share
from voxplain.report.study.figures.compound import Point, segments, shapes
from voxplain.report.study.figures.sheet import COLOURS, FAINT, INK, panel, room, sheet, short, write
from voxplain.report.study.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

ALL = 40  # names up to which those without an arrow are shown, too
MOST = 150  # arrows
_PITCH, _LEAST, _DOT = 0.24, 1.8, 0.085  # inches: along the circle, radius, radius of a name's dot
_PALE = "#9aa1aa"  # of no cluster
_HUES = (*COLOURS, "#6b4a2b")


@dataclass(frozen=True)
class Shown:
    """What fits into a figure.

    Attributes:
        hidden: edges that are left out, the weakest.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hidden: int


def shown(graph: Graph, order: Sequence[str], most: int = MOST) -> Shown:
    """The strongest edges, and of many names those that have one; in this order, others last."""
    kept = sorted(graph.edges, key=lambda e: (-e.weight, e.region, e.target))[:most]
    used = {n for e in kept for n in (e.region, e.target)}
    places = {name: k for k, name in enumerate(order)}
    nodes = [n for n in graph.nodes if len(graph.nodes) <= ALL or n.name in used]
    nodes.sort(key=lambda n: places.get(n.name, len(places)))
    return Shown(tuple(nodes), tuple(kept), len(graph.edges) - len(kept))


def circle(graph: Graph, order: Sequence[str], *, tested: bool, most: int = MOST) -> Drawing:
    """The graph; every name has the same place for the same graph."""
    found = shown(graph, order, most)
    names = [short(n.name) for n in found.nodes]
    radius = max(len(names) * _PITCH / (2 * np.pi), _LEAST)
    side = radius + _DOT + 0.06 + room(names)
    figure = sheet(2 * side, 2 * side)
    axes = panel(figure, 0, 0, 2 * side, 2 * side)
    axes.set_xlim(-side, side)
    axes.set_ylim(-side, side)
    axes.set_axis_off()
    # the first on top, then clockwise
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(names)) / max(len(names), 1)
    places = {n.name: (float(a), radius) for n, a in zip(found.nodes, angles, strict=True)}
    _edges(axes, found, places)
    for k, (node, name, angle) in enumerate(zip(found.nodes, names, angles.tolist(), strict=True)):
        _node(axes, k, node, name, angle, radius)
    return Drawing(figure, _caption(graph, found, tested), _alt(found))


def hue(cluster: int) -> str:
    """Of a cluster; its number stands beside wherever it is used."""
    return _HUES[(cluster - 1) % len(_HUES)] if cluster else _PALE


def _at(angle: float, radius: float) -> np.ndarray:
    return np.asarray(radius * np.array([np.cos(angle), np.sin(angle)]))


def _edges(axes: Axes, found: Shown, places: dict[str, tuple[float, float]]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    clusters = {n.name: n.cluster for n in found.nodes}
    top = max((e.weight for e in found.edges), default=1.0)
    for k, edge in reversed(list(enumerate(found.edges))):  # the strongest above
        (a, radius), (b, _) = places[edge.region], places[edge.target]
        start, end = _at(a, radius - _DOT), _at(b, radius - _DOT)
        middle = _bend(start, end, radius)
        width = 0.5 + 3.5 * edge.weight / top
        arrow = _head(middle, end, 0.07 + 0.012 * width)
        tip = (arrow[1] + arrow[2]) / 2
        path = Path([tuple(start), tuple(middle), tuple(tip)], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
        colour = hue(clusters[edge.region])
        axes.add_patch(
            PathPatch(path, fill=False, ec=colour, lw=width, alpha=0.75, gid=f"edge-{k}", clip_on=False)
        )
        points: list[Point] = [(float(x), float(y)) for x, y in arrow]
        shapes(axes, [points], f"head-{k}", fc=colour, ec=colour, lw=0.3, clip_on=False)


def _bend(start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """Towards the centre, the more so the farther apart; and to the right, so that both directions can be told apart."""
    chord = end - start
    length = float(np.linalg.norm(chord))
    middle = (start + end) / 2
    deep = min(0.25 + 0.45 * length, 0.8 * radius) / max(float(np.linalg.norm(middle)), 1e-9)
    aside = 0.13 * min(1, radius / max(length, 1e-9)) * np.array([chord[1], -chord[0]])
    return np.asarray(middle * max(1 - deep, 0.2) + aside)


def _head(middle: np.ndarray, end: np.ndarray, size: float) -> np.ndarray:
    """Tip and both corners."""
    along = (end - middle) / max(float(np.linalg.norm(end - middle)), 1e-9)
    across = np.array([-along[1], along[0]])
    back = end - 1.5 * size * along
    return np.stack([end, back + 0.55 * size * across, back - 0.55 * size * across])


def _node(axes: Axes, k: int, node: Node, name: str, angle: float, radius: float) -> None:
    x, y = _at(angle, radius)
    turns = np.linspace(0, 2 * np.pi, 17)[:-1]
    dot: list[Point] = [(x + _DOT * np.cos(t), y + _DOT * np.sin(t)) for t in turns]
    edge = INK if node.is_target else FAINT
    shapes(
        axes,
        [dot],
        f"node-{k}",
        fc=hue(node.cluster),
        ec=edge,
        lw=0.8 if node.is_target else 0.4,
        clip_on=False,
    )
    if node.cluster:
        write(
            axes,
            x,
            y,
            str(node.cluster),
            ha="center",
            va="center_baseline",
            fontsize=6.5,
            color="white",
            weight="bold",
        )
    if node.own_beats:
        ring: list[Point] = [(x + 1.4 * _DOT * np.cos(t), y + 1.4 * _DOT * np.sin(t)) for t in turns]
        segments(axes, [[*ring, ring[0]]], f"own-{k}", ec=INK, lw=0.8, clip_on=False)
    left, up = _at(angle, radius + 1.4 * _DOT + 0.05)
    degrees = float(np.degrees(angle)) % 360
    flipped = 90 < degrees < 270
    write(axes, float(left), float(up), name, rotation=degrees + 180 * flipped, rotation_mode="anchor", va="center",
          ha="right" if flipped else "left", weight="normal")  # fmt: skip


def _caption(graph: Graph, found: Shown, tested: bool) -> str:
    by = "density, among shares of 1 % and more" if graph.chosen_by != graph.statistic else "share"
    which = "that beats the nulls" if tested else f"(untested: the strongest of each target by {by})"
    parts = [
        f"An arrow from a region to a target: a dependence {which}; its width is the mean share. Colours and numbers are "
        "clusters of targets with like dependences; dots without a number are regions only."
    ]
    if any(node.own_beats for node in graph.nodes):
        parts.append("A ring: the target depends on its own region more than the nulls expect.")
    if found.hidden:
        parts.append(
            f"The {len(found.edges)} strongest arrows; {count(found.hidden, 'weaker one')} left out."
        )
    lost = len(graph.nodes) - len(found.nodes)
    if lost:
        parts.append(f"{count(lost, 'name')} without an arrow left out.")
    if not found.edges:
        parts.append(
            "No arrow: no dependence on another region "
            + ("beats the nulls." if tested else "has a share above 0.")
        )
    return " ".join(parts)


def _alt(found: Shown) -> str:
    told = [f"{e.region} to {e.target} ({share(e.weight)})" for e in found.edges]
    return f"Graph of {count(len(found.nodes), 'name')} and {count(len(found.edges), 'arrow')}: {listed(told, 8)}."
