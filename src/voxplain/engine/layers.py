"""Activations of a layer and the targets' gradients with respect to them, stitched over windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.engine.layer_axes import layer_axes
from voxplain.engine.layer_choice import default_layer
from voxplain.engine.layer_hooks import capture, only_output, whole_precision
from voxplain.engine.layer_tour import Tour, Visit
from voxplain.engine.layer_visits import Visitor
from voxplain.engine.moments import correlation
from voxplain.engine.problem import Problem
from voxplain.engine.samplers import clean
from voxplain.engine.store import MapStore

__all__ = ["LayerView", "Painted", "Tour", "Visit", "capture", "default_layer", "upsample"]

# (target, activations (F, *s), gradient of the target (F, *s)) -> any tensor
Reduce = Callable[[int, Tensor, Tensor], Tensor]
Paint = Callable[[int, Tensor, Tensor], Tensor]
Share = Callable[[Visit], Tensor]  # -> (F, *s)
Select = Callable[[Tensor], Tensor]  # (F, *s) -> (*s)
# Activations of all windows are kept between two steps of a method if they take no more than this.
KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Painted:
    """What `LayerView.paint_tour` found.

    Attributes:
        maps: per target, (1, *spatial).
        sums: per target, the sum of the shares of all features and places, at the layer's own resolution.
        scores: (draws, T); NaN for absent targets.
        agreement: per target, the correlation of the maps from even and from odd draws, where asked for.
    """

    maps: MapStore
    sums: dict[int, float]
    scores: Tensor
    agreement: dict[int, float]


class LayerView:
    """One layer of a problem's network.

    Args:
        name: dotted name of a submodule whose output is (N, F, *s) or (N, *s, F); by default the last of the deepest
            spatial layers: a U-Net's bottleneck, a classifier's last feature map.

    Attributes:
        name: the layer's name.
        axes: how its own output becomes (N, F, *s), which everything here is.

    Raises:
        ModelError: unknown name (the closest are suggested), a layer without a spatial output, or one of which it
            cannot be told which axis counts the features.
    """

    def __init__(self, problem: Problem, name: str | None = None) -> None:
        self.problem = problem
        self.name = name or problem.once("default layer", lambda: default_layer(problem))
        self.module = problem.model.layer(self.name)
        self.axes = layer_axes(problem, self.name)
        self._kept: dict[int, Tensor] = {}

    def visit(self, tour: Tour, take: Callable[[Visit], None], what: str) -> Tensor:
        """Hand every (window, draw, target) to ``take``, at the layer's own resolution: (draws, T) scores."""
        return Visitor(self, tour, take, what).run()

    def gather(self, reduce: Reduce, what: str) -> dict[int, Tensor]:
        """Σ over the target's windows of ``reduce(target, activations, gradient)``."""
        sums: dict[int, Tensor] = {}

        def take(seen: Visit) -> None:
            value = reduce(seen.target, seen.activation, seen.gradient)
            sums[seen.target] = sums[seen.target] + value if seen.target in sums else value

        self._visit_clean(take, what)
        return sums

    def paint(self, draw: Callable[[int, Tensor], Tensor], what: str) -> MapStore:
        """Blend ``draw(target, activations)`` (*s) of the target's windows into maps (1, *spatial).

        Every window's picture is interpolated linearly to the window and weighted as its output is.
        """
        store = self.problem.padded_store(channels=1)

        def paint(window: int, activation: Tensor) -> None:
            targets = self.problem.plan.touching[window]
            pictures = [self._upsample(draw(target, activation)) for target in targets]
            for target, picture in zip(targets, pictures, strict=True):
                self._blend(store, window, target, picture, weighted=True)

        self._each_activation(self.problem.plan.windows(self.problem.present), paint, what)
        return self._unpadded(store)

    def paint_everywhere(self, draw: Callable[[Tensor], Tensor], what: str) -> MapStore:
        """Blend ``draw(activations)`` (*s) of all windows into one map (1, *spatial), the same for every target."""
        store, first = self.problem.padded_store(channels=1), self.problem.present[0]

        def paint(window: int, activation: Tensor) -> None:
            self._blend(store, window, first, self._upsample(draw(activation)), weighted=True)

        self._each_activation(range(len(self.problem.plan)), paint, what)
        maps = self._unpadded(store)
        for target in self.problem.present[1:]:
            maps[target] = maps[first].clone()
        return maps

    def paint_gradient(self, draw: Paint, what: str) -> MapStore:
        """Sum ``draw(target, activations, gradient)`` (*s) of the target's windows into maps (1, *spatial).

        The gradient already carries the blending weights, so the pictures are added as they are.
        """
        store = self.problem.padded_store(channels=1)

        def take(seen: Visit) -> None:
            picture = self._upsample(draw(seen.target, seen.activation, seen.gradient))
            self._blend(store, seen.window, seen.target, picture, weighted=False)

        self._visit_clean(take, what)
        return self._unpadded(store)

    def paint_tour(
        self, tour: Tour, share: Share, select: Select, what: str, *, halves: bool = False
    ) -> Painted:
        """Sum ``select(share(visit))`` over windows and draws into maps (1, *spatial).

        Args:
            share: what a visit is worth at every feature and place of the layer, linear in its gradient.
            select: what is painted of it.
            halves: also the agreement of even and odd draws.
        """
        count = 2 if halves else 1
        stores = [self.problem.padded_store(channels=1, share=count) for _ in range(count)]
        sums = dict.fromkeys(self.problem.present, 0.0)

        def take(seen: Visit) -> None:
            whole = share(seen)
            picture, total = self._upsample(select(whole)), float(whole.double().sum())
            self._blend(stores[seen.draw % count], seen.window, seen.target, picture, weighted=False)
            sums[seen.target] += total

        scores = self.visit(tour, take, what)
        first, *rest = [self._unpadded(store) for store in stores]
        agreement = {t: correlation(first[t], half[t]) for half in rest for t in self.problem.present}
        for half in rest:
            first.transform(lambda t, m, half=half: m + half[t])  # type: ignore[misc]
        return Painted(first, sums, scores, agreement)

    def _visit_clean(self, take: Callable[[Visit], None], what: str) -> None:
        def keep_and_take(seen: Visit) -> None:
            take(seen)
            self._keep(seen.window, seen.activation)

        scores = self.visit(Tour(clean(self.problem.padded)), keep_and_take, what)
        self.problem.remember(scores[0])

    def _each_activation(
        self, windows: Sequence[int], take: Callable[[int, Tensor], None], what: str
    ) -> None:
        """Hand the clean image's activations of the windows to ``take``, those that were kept first."""
        done: set[int] = set()  # so that a batch that runs out of memory paints nothing twice

        def work(batch: list[int]) -> None:
            with torch.no_grad(), capture(self.module, self.name, self.axes) as seen:
                self.problem.runner.forward(self._inputs(batch))
            output = only_output(seen, self.name, self.problem, len(batch))
            for b, window in enumerate(batch):
                if window not in done:
                    take(window, whole_precision(output[b]))
                    done.add(window)

        for window in windows:
            if window in self._kept:
                take(window, self._kept[window])
        with self.problem.runner.session():
            self.problem.runner.each([w for w in windows if w not in self._kept], work, what)

    def _keep(self, window: int, activation: Tensor) -> None:
        """Save a second forward pass where the activations of all windows are small."""
        windows = len(self.problem.plan.windows(self.problem.present))
        if window not in self._kept and activation.nbytes * windows <= KEPT_BYTES:
            self._kept[window] = activation.clone()

    def _inputs(self, batch: Sequence[int]) -> Tensor:
        sampler = clean(self.problem.padded)
        x = torch.stack([sampler.input(0, self.problem.plan.where(w)) for w in batch])
        return x.to(self.problem.model.device, self.problem.dtype)

    def _upsample(self, picture: Tensor) -> Tensor:
        return upsample(self.problem, picture[None])[0]

    def _blend(self, store: MapStore, window: int, target: int, picture: Tensor, *, weighted: bool) -> None:
        picture = picture.cpu()
        layout = self.problem.layout
        if weighted and layout is not None:
            picture = picture * layout.weight(window)
        store.add(target, self.problem.plan.where(window), picture[None])

    def _unpadded(self, store: MapStore) -> MapStore:
        layout = self.problem.layout
        if layout is not None:
            store.transform(lambda _, m: layout.unpad(m))
        return store


def upsample(problem: Problem, pictures: Tensor) -> Tensor:
    """(B, *s) -> (B, *roi), by linear interpolation between the centres of the layer's voxels."""
    size = tuple(s.stop - s.start for s in problem.plan.where(0))
    if tuple(pictures.shape[1:]) == size:
        return pictures
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[pictures.dim() - 1]
    return F.interpolate(pictures[:, None], size=size, mode=mode, align_corners=False)[:, 0]
