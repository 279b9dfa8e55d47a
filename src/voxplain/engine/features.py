"""A layer's feature maps over all windows of the image, whatever the targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.engine.layer_hooks import whole_precision
from voxplain.engine.layers import LayerView, upsample
from voxplain.engine.replaced import exchanged, window_inputs

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem


class Features:
    """What one layer says about the whole image.

    All windows are run, not only those that a target touches: what is found (a range, a variance, a direction)
    does not depend on what else was asked in the same problem.

    Args:
        view: the layer.
    """

    def __init__(self, problem: Problem, view: LayerView) -> None:
        self.problem, self.view = problem, view

    @property
    def windows(self) -> int:
        """Forward passes that `each` and `stitch` take."""
        return len(self.problem.plan)

    @property
    def count(self) -> int:
        """Feature maps of the layer; one forward pass finds out, once per problem."""
        return self.problem.once(("feature maps", self.view.name), self._probe)

    def _probe(self) -> int:
        with self.problem.runner.session():
            return int(self._activations([0]).shape[1])

    def each(self, take: Callable[[int, Tensor], None], what: str) -> None:
        """Hand every window's activations to ``take(window, activations (F, *s))``, float32 at least, once each.

        Where ``take`` runs out of memory it is called again, so what it counts must come last.
        """
        self.problem.runner.check_room(gradient=False)
        done: set[int] = set()

        def work(batch: list[int]) -> None:
            output = self._activations(batch)
            for b, window in enumerate(batch):
                if window not in done:
                    take(window, whole_precision(output[b]))
                    done.add(window)

        with self.problem.runner.session():
            self.problem.runner.each(range(self.windows), work, what)

    def stitch(self, draw: Callable[[Tensor], Tensor], pictures: int, what: str) -> Tensor:
        """Pictures of the layer, interpolated linearly and blended over the windows as the network's output is.

        Args:
            draw: a window's activations (F, *s) -> (pictures, *s).

        Returns:
            (pictures, *spatial), on the image's grid without padding.
        """
        plan, layout = self.problem.plan, self.problem.layout
        out = torch.zeros((pictures, *plan.shape), dtype=self.problem.dtype)

        def paint(window: int, activation: Tensor) -> None:
            where = plan.where(window)
            drawn = upsample(self.problem, draw(activation)).cpu().to(self.problem.dtype)
            if layout is not None:
                drawn = drawn * layout.weight(window)
            out[(slice(None), *where)] += drawn

        self.each(paint, what)
        return out if layout is None else layout.unpad(out)

    def _activations(self, windows: list[int]) -> Tensor:
        seen: list[Tensor] = []

        def keep(output: Tensor) -> Tensor:
            seen.append(output)
            return output.clone()  # later operations in place change the copy

        with torch.no_grad(), exchanged(self.problem, self.view, keep):
            self.problem.runner.forward(window_inputs(self.problem, windows))
        return seen[0]
