"""Scores of the network with a layer's output changed on the way: what the layer's parts are worth.

The windows are those of the clean image. In every one of them the same change is made, so the score is that of
the stitched network whose layer is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from voxplain.engine.layer_hooks import check_samples
from voxplain.engine.samplers import clean
from voxplain.engine.stitched import Stitched
from voxplain.errors import ModelError

if TYPE_CHECKING:
    from voxplain.engine.layers import LayerView
    from voxplain.engine.problem import Problem

# (number of the change, the layer's output for one window (F, *s)) -> what the network goes on with, same shape
Change = Callable[[int, Tensor], Tensor]


class Replaced:
    """A problem's network with one layer's output changed.

    Args:
        view: the layer.
    """

    def __init__(self, problem: Problem, view: LayerView) -> None:
        self.problem, self.view = problem, view

    def scores(self, count: int, change: Change, what: str) -> Tensor:
        """Scores of all targets under each of ``count`` changes, one forward pass per change and window.

        Args:
            change: must leave the output that it is given as it is.

        Returns:
            (count, T); NaN for absent targets.
        """
        problem = self.problem
        problem.runner.check_room(gradient=False)
        scores = torch.full((count, len(problem.targets)), torch.nan, dtype=torch.float64)
        scores[:, problem.present] = 0.0
        linear = problem.plan.linear(problem.present)
        rest = [t for t in problem.present if t not in set(linear)]
        with problem.runner.session():
            if linear:
                self._linear(count, change, linear, scores, what)
            for group in problem.engine.groups(rest):
                for number in range(count):
                    self._stitched(number, change, group, scores, f"{what} {number + 1}/{count}")
        return scores

    def _linear(self, count: int, change: Change, targets: list[int], scores: Tensor, what: str) -> None:
        """Scores that are sums over windows: windows and changes share batches."""
        plan, wanted = self.problem.plan, set(targets)

        def work(batch: list[tuple[int, int]]) -> None:
            z = self._forward(batch, change)
            # all that may fail comes before anything is counted
            found = [plan.terms(w).scores(z[b : b + 1])[0] for b, (w, _) in enumerate(batch)]
            for (window, number), shares in zip(batch, found, strict=True):
                for term, share in zip(plan.terms(window).terms, shares.tolist(), strict=True):
                    if term.target in wanted:
                        scores[number, term.target] += share

        items = [(w, number) for w in plan.windows(targets) for number in range(count)]
        self.problem.runner.each(items, work, what)

    def _stitched(self, number: int, change: Change, targets: list[int], scores: Tensor, what: str) -> None:
        """Non-linear scores over several windows: the changed outputs are stitched before they are judged."""
        plan = self.problem.plan
        stitched = Stitched(plan.functionals, targets, self.problem.model.channels_out)

        def work(batch: list[tuple[int, int]]) -> None:
            z = self._forward(batch, change)
            found = [stitched.part(plan.terms(w), sample) for (w, _), sample in zip(batch, z, strict=True)]
            for (window, _), part in zip(batch, found, strict=True):
                stitched.add(part, plan.places(window, targets))

        self.problem.runner.each([(w, number) for w in plan.windows(targets)], work, what)
        for t in targets:
            scores[number, t] = stitched.value(t)[0]

    def _forward(self, batch: Sequence[tuple[int, int]], change: Change) -> Tensor:
        rows: list[int] = []

        def changed(output: Tensor) -> Tensor:
            rows.append(len(output))
            if not self.problem.runner.fits(len(output), len(batch)):
                return output  # refused after the pass
            out = output.clone()  # the batch may be longer than asked: a lone sample has an idle twin
            for b, (_, number) in enumerate(batch):
                out[b] = change(number, output[b])
            return out

        x = window_inputs(self.problem, [w for w, _ in batch])
        with torch.no_grad(), exchanged(self.problem, self.view, changed):
            z = self.problem.runner.forward(x)
        for count in rows:
            check_samples(count, self.view.name, self.problem, len(batch))
        return z


def window_inputs(problem: Problem, windows: Sequence[int]) -> Tensor:
    """These windows of the clean image, on the model's device: (N, C, *roi)."""
    sampler = clean(problem.padded)
    x = torch.stack([sampler.input(0, problem.plan.where(w)) for w in windows])
    return x.to(problem.model.device, problem.dtype)


@contextmanager
def exchanged(problem: Problem, view: LayerView, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let the network go on with ``change(output)`` instead of the layer's output (N, F, *s), for one pass.

    Raises:
        ModelError: the layer returns no feature maps, runs several times in the pass, or not at all.
    """
    dims, runs = len(problem.spatial_shape), 0
    refusals: list[str] = []

    def hook(_: nn.Module, __: Any, output: Any) -> Tensor | None:
        nonlocal runs
        runs += 1
        refusal = _refusal(output, dims, runs)
        if refusal:
            # raised after the pass: what is raised inside would be taken for the network's own failure
            refusals.append(refusal)
            return None
        return view.axes.back(change(view.axes.bring(output)))

    handle = view.module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
    if not runs:
        refusals.append("the network did not run it on this input; choose another layer")
    if refusals:
        raise ModelError(f"layer {view.name!r}: {refusals[0]}")


def _refusal(output: object, dims: int, runs: int) -> str:
    if runs > 1:
        return (
            f"the network runs it {runs} times in one pass, so it is not one place; choose a layer that runs once, "
            "such as the block around it"
        )
    if isinstance(output, Tensor) and output.dim() == dims + 2:
        return ""
    found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"type {type(output).__name__}"
    return (
        f"its output has {found}, expected one tensor (N, features, *{dims} spatial axes); choose a convolutional "
        "layer (voxplain inspect lists them)"
    )
